package service

import (
	"context"
	"os"

	"github.com/kardianos/service"
)

// Host runs a program the way that the system's service manager wants. Windows
// tells a service to stop by a call, not by a signal.
func Host(ctx context.Context, run func(context.Context) error) error {
	if service.Interactive() {
		return run(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	h := &hosted{ctx: ctx, cancel: cancel, run: run, ended: make(chan error, 1)}
	s, err := service.New(h, &service.Config{Name: Name})
	if err != nil {
		return err
	}
	return s.Run()
}

type hosted struct {
	ctx    context.Context // of the whole program
	cancel context.CancelFunc
	run    func(context.Context) error
	ended  chan error
}

// Start implements service.Interface. A program that fails ends the process, which
// Windows counts as a failure: it starts the service again.
func (h *hosted) Start(s service.Service) error {
	go func() {
		err := h.run(h.ctx)
		if h.ctx.Err() == nil {
			if log, unlogged := s.SystemLogger(nil); unlogged == nil && err != nil {
				_ = log.Error(err) // there is no other place to tell it
			}
			os.Exit(1)
		}
		h.ended <- err
	}()
	return nil
}

// Stop implements service.Interface.
func (h *hosted) Stop(service.Service) error {
	h.cancel()
	return <-h.ended
}
