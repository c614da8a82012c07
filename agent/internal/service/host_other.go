//go:build !windows

package service

import "context"

// Host runs a program the way that the system's service manager wants. Here a
// signal ends it, which ends ctx.
func Host(ctx context.Context, run func(context.Context) error) error { return run(ctx) }
