# syntax=docker/dockerfile:1

# Builds with BuildKit, the default of `docker build` and `docker compose build`.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches outlive the build: dependencies are compiled again only when their versions change. They are no part of the
# image, so the binary is copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package async-starter && \
    install -D target/release/async-starter /out/async-starter

FROM debian:bookworm-slim
COPY --from=build /out/async-starter /usr/local/bin/async-starter
# Where the embedded database goes unless DATABASE_URL names another.
RUN install --directory --owner=10001 --group=10001 /data
WORKDIR /data
VOLUME /data
# A number, not a name: Kubernetes can then see that it is not root.
USER 10001:10001
# In a container the loopback address would be reachable by nobody.
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["async-starter", "healthcheck"]
ENTRYPOINT ["async-starter"]
CMD ["serve"]
