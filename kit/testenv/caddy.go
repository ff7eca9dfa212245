package testenv

import (
	"context"
	"fmt"
)

const caddyVersion = "2.11.9"

var caddy = tool{
	name: "caddy", version: caddyVersion,
	variable: "TRELLIS_TEST_CADDY_BIN", takes: "about two minutes on two cores", build: buildCaddy,
}

// CaddyBinary returns the path of a Caddy, which a benchmark is beside: the
// one that TRELLIS_TEST_CADDY_BIN names, or else one found or built as
// [ConsulBinary] does.
func CaddyBinary(ctx context.Context) (string, error) {
	binary, err := caddy.binary(ctx)
	if err != nil {
		return "", fmt.Errorf("testenv: Caddy is missing: %w", err)
	}
	return binary, nil
}

func buildCaddy(ctx context.Context, work string) error {
	_, err := goCommand(ctx, work, "install", "-trimpath", "-ldflags=-s -w", "github.com/caddyserver/caddy/v2/cmd/caddy@v"+caddyVersion)
	return err
}
