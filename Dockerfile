# Builds what `npm run build` makes, and keeps of it what runs: compiled code, packages for production, Node.
FROM node:24-slim AS packages
WORKDIR /build
COPY package.json package-lock.json ./
# None of these needs its install script.
RUN npm ci --omit=dev --ignore-scripts

FROM packages AS build
# The package `node` would bring a second Node, for development; the image has one.
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN node_modules/.bin/tsc -p tsconfig.build.json --outDir dist

FROM node:24-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /build/package.json ./package.json
COPY --from=packages /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY LICENSE README.md CHANGELOG.md ./
# The embedded store's journal. A volume that is mounted here must belong to the user below.
RUN mkdir /data && chown node:node /data
VOLUME /data
USER node
# MySQL clients; admin API.
EXPOSE 3306 9930
# Asks the admin API inside the container, which a configuration for containers puts at this address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9930/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Open transactions may end: give `docker stop` more time than shutdownTimeoutMs (10 s).
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/main.js"]
CMD ["serve", "--config", "/etc/switchyard/switchyard.yaml"]
