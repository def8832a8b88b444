/*!50000 ALTER */ /* t */ TABLE t /*!80000 ADD COLUMN w INT */;
