# Remora. `make demo` shows it at work, `make test` tests it; both set up all that they need.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
export CGO_ENABLED ?= 1

.PHONY: build test test-go test-compat test-python demo bench generate clean

build:
	@go build -ldflags "-X main.version=$(VERSION)" -o bin/remora ./cmd/remora

test: test-go test-compat test-python

# Go's tests, with the race detector. The first run builds the Ray environment (about 300 MB of downloads).
test-go: build
	@bin/remora runtime build Ray2.60 >/dev/null
	go vet ./...
	go test -race -timeout 40m -parallel 8 ./...

# Real boto3, AWS CLI and moto's tests against a running server.
test-compat: build
	@compat/run

# The Python that runs in jobs' own processes, on real Ray.
test-python: build
	@python/run

demo: build
	@examples/demo

bench: build
	@bench/run

# Shapes of the AWS services, from botocore's model files; see api/awsmodel/doc.go.
generate:
	go generate ./...

clean:
	rm -rf bin
