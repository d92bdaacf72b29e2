# The service in a few files starts in half of the time, and takes less memory.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY deploy/programs ./deploy/programs
COPY instrumentation ./instrumentation
COPY src ./src
RUN npm run build

# Production dependencies are installed apart, so that the image has no npm cache and no development tools.
FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages are a Node and a PostgreSQL of their own: the image has that Node, and takes DATABASE_URL.
RUN npm ci --omit=dev --omit=optional

FROM node:24.21.0-bookworm-slim
# /metrics names the agents of all developers: it has a port of its own, which nothing publishes.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3001 METRICS_PORT=9464 DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY --from=build /app/dist ./dist
# Migrations, pages and commands are read from here.
COPY src ./src
RUN install -d -m 0700 -o node -g node /data
USER node
VOLUME /data
EXPOSE 3001 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Else V8 takes 128 MB for short-lived objects on a large machine, and lets garbage grow to several times what is in use.
CMD ["node", "--max-semi-space-size=8", "--heap-growing-percent=100", "--import", "./dist/register.js", "dist/main.js"]
