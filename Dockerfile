# The engine, the configs of its examples and the payment gateway of one of them. How to use it: docs/containers.md.

FROM debian:bookworm-slim AS build
WORKDIR /troupe
# Alone, so that a change of the sources installs nothing again.
COPY scripts/setup scripts/setup
RUN scripts/setup --run
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY config config
COPY engine engine
COPY actors actors
COPY apps apps
# A file takes up to 1 GB to compile: --build-arg CMAKE_BUILD_PARALLEL_LEVEL=2 where memory is short.
ARG CMAKE_BUILD_PARALLEL_LEVEL
RUN cmake --preset release -DTROUPE_TESTS=OFF -DTROUPE_BENCH=OFF \
 && cmake --build --preset release --target troupe payment_gateway \
 && install -D --strip --target-directory /out build/release/troupe build/release/payment_gateway

FROM debian:bookworm-slim
# --build-arg WITH_FFMPEG=1: the video example transcodes instead of simulating it. 480 MB more.
ARG WITH_FFMPEG=0
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
      ca-certificates libargon2-1 libcaf-core0.17 libcurl4 libfmt9 libhiredis0.14 libjemalloc2 librdkafka1 libsimdjson14 \
      libspdlog1.10 libssl3 libstdc++6 libyaml-cpp0.7 $([ "$WITH_FFMPEG" = 0 ] || echo ffmpeg) \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
# A number of its own, the same in every build: what is in a volume stays its owner's.
RUN groupadd --gid 10001 troupe \
 && useradd --uid 10001 --gid troupe --no-log-init --home-dir /var/lib/troupe --shell /usr/sbin/nologin troupe \
 && install --directory --owner troupe --group troupe /var/lib/troupe
COPY --from=build /out/ /usr/local/bin/
COPY deploy/healthcheck /usr/local/bin/
COPY config/*.yaml /etc/troupe/
# A library that the list above forgot is an error of the build, not of the first start.
RUN ! ldd /usr/local/bin/troupe /usr/local/bin/payment_gateway | grep 'not found'

USER 10001:10001
WORKDIR /var/lib/troupe
# Metrics and health have no authentication: reached from inside the container alone, unless told otherwise.
ENV ADMIN_LISTEN=127.0.0.1:9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["healthcheck"]
ENTRYPOINT ["troupe"]
CMD ["--help"]
