package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Handler answers GET /metrics with what the registry gathers, and nothing else.
func Handler(registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 2 * scrapeTime}))
	return mux
}

// Serve answers on a TCP address until ctx ends. An address that cannot be used is
// told in the log and ends nothing: the agent's work goes before its figures.
func Serve(ctx context.Context, address string, registry *prometheus.Registry, log *slog.Logger) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Error("figures are not served; correct metrics.address and restart the agent", "address", address, "error", err)
		<-ctx.Done()
		return nil
	}
	log.Info("figures are served", "address", listener.Addr().String(), "path", "/metrics")
	return serve(ctx, listener, registry)
}

func serve(ctx context.Context, listener net.Listener, registry *prometheus.Registry) error {
	server := &http.Server{Handler: Handler(registry), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 3 * scrapeTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 8 << 10}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // what is cut off is asked for again
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving figures on %s: %w", listener.Addr(), err)
	}
	return nil
}
