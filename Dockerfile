# The worker, the starter and the Dixa emulator: static binaries in minimal
# images. Choose one with --target.
#
#   docker build --target starter --build-arg VERSION=v1.2.3 -t claimflow/starter .

FROM golang:1.26.8-bookworm AS build
WORKDIR /src
# Modules first: they change less often than the code.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=development
# Only the main module is built here; go.work would add the quickstart's module.
ENV CGO_ENABLED=0 GOWORK=off GOFLAGS=-buildvcs=false
RUN go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/ ./worker ./starter ./emulator

# The health checks need wget; the base image has no shell and no tools.
FROM busybox:1.37-musl AS busybox

# Holds certificates, time zones and the unprivileged user 65532.
FROM gcr.io/distroless/static-debian12:nonroot AS base
COPY --from=busybox /bin/busybox /bin/wget

FROM base AS worker
COPY --from=build /out/worker /usr/local/bin/
ENV CLAIMFLOW_METRICS_LISTEN=:9090 CLAIMFLOW_LOG_FORMAT=json
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=6 \
  CMD ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:9090/healthz"]
ENTRYPOINT ["/usr/local/bin/worker"]

FROM base AS emulator
COPY --from=build /out/emulator /usr/local/bin/
EXPOSE 4010
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=6 \
  CMD ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:4010/_emulator/stats"]
ENTRYPOINT ["/usr/local/bin/emulator"]
CMD ["--addr=0.0.0.0:4010"]

FROM base AS starter
COPY --from=build /out/starter /usr/local/bin/
ENV CLAIMFLOW_LISTEN=:8080 CLAIMFLOW_LOG_FORMAT=json
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=6 \
  CMD ["/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/usr/local/bin/starter"]
CMD ["serve"]
