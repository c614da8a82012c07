package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/metrics"
	"github.com/sealdock/sealdock/agent/internal/service"
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/seal"
	"github.com/sealdock/sealdock/internal/telemetry"
	protocol "github.com/sealdock/sealdock/proto/upload"
)

type runCommand struct {
	place
	USBIP []string `name:"usbip" placeholder:"ADDRESS" help:"USB/IP servers to use besides those in the configuration."`
}

// Run runs the agent.
func (c *runCommand) Run(ctx context.Context) error {
	config, err := c.load()
	if err != nil {
		return err
	}
	config.Cameras.USBIP = append(config.Cameras.USBIP, c.USBIP...)
	log, err := telemetry.New(os.Stderr, config.Log.Format, config.Log.Level)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "agent starts", "version", buildinfo.Version(version), "cryptography", buildinfo.Cryptography())
	if err := seal.SelfTest(); err != nil {
		return err
	}
	companions := []daemon.Companion{heartbeat(log)}
	if config.Metrics.Address != "" {
		companions = append(companions, figures(config.Metrics.Address, log))
	}
	return service.Host(ctx, func(ctx context.Context) error {
		return daemon.Run(ctx, config, buildinfo.Version(version), time.Now, log, companions...)
	})
}

// figures serves what a monitoring system wants to know.
func figures(address string, log *slog.Logger) daemon.Companion {
	return func(ctx context.Context, view daemon.View) error {
		registry := prometheus.NewRegistry()
		all := []prometheus.Collector{metrics.New(view), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})}
		for _, c := range all {
			if err := registry.Register(c); err != nil {
				return err
			}
		}
		return metrics.Serve(ctx, address, registry, log)
	}
}

// heartbeat tells systemd, where it waits for that, that the agent lives.
func heartbeat(log *slog.Logger) daemon.Companion {
	return func(ctx context.Context, view daemon.View) error {
		beat, wanted, err := service.UnderSystemd(pulse(view), log)
		if err != nil || !wanted {
			return err
		}
		return beat.Run(ctx)
	}
}

// pulse asks every part of the agent.
func pulse(view daemon.View) func(context.Context) (service.Pulse, error) {
	return func(ctx context.Context) (service.Pulse, error) {
		s, err := view.Status(ctx)
		if err != nil {
			return service.Pulse{}, err
		}
		cameras := 0
		for _, b := range s.Bays {
			if b.State != protocol.BayEmpty {
				cameras++
			}
		}
		line := fmt.Sprintf("%d cameras docked, %d recordings wait for the server. %s", cameras, s.Spool.Waiting, s.Server.Message)
		return service.Pulse{Turned: view.Turned(), Line: line}, nil
	}
}
