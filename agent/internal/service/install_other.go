//go:build !linux

package service

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/durable"
)

// Install registers the agent with the system's service manager, to be started
// with the system. It does not start it.
func Install(ctx context.Context, m Machine, data string, dry bool) error {
	if !m.Privileged && !dry {
		return ErrNotRoot
	}
	if !filepath.IsAbs(data) {
		return errors.New("a service needs an absolute path for its data: name one with --data")
	}
	manager, err := m.Manager(m.Executable, data, "")
	if err != nil {
		return err
	}
	return perform(ctx, m.Out, dry, []step{
		{what: "make the data folder " + data, done: func() (bool, error) { return false, nil }, do: func(context.Context) error { return durable.MkdirAll(data, 0o700) }},
		{what: "register the service " + Name, done: func() (bool, error) { return manager.State() != StateNotInstalled, nil }, do: func(context.Context) error { return manager.Install() }},
	})
}

// Uninstall stops and removes the service. Data and program stay.
func Uninstall(ctx context.Context, m Machine, dry bool) error {
	if !m.Privileged && !dry {
		return ErrNotRoot
	}
	manager, err := m.Manager(m.Executable, "", "")
	if err != nil {
		return err
	}
	return perform(ctx, m.Out, dry, []step{
		{what: "stop the service", done: func() (bool, error) { return manager.State() != StateRunning, nil }, do: func(context.Context) error { return manager.Stop() }},
		{what: "remove the service " + Name, done: func() (bool, error) { return manager.State() == StateNotInstalled, nil }, do: func(context.Context) error { return manager.Uninstall() }},
	})
}

// HandOver does nothing here: the service runs as who installs it.
func HandOver(string) error { return nil }
