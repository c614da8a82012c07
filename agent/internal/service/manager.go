package service

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kardianos/service"
)

// Manager is the system's service manager, as far as this one service goes.
type Manager interface {
	Install() error
	Uninstall() error
	Start() error
	Stop() error
	Restart() error
	State() State
}

// State is how the service stands, in a word.
type State string

// The states of the service.
const (
	StateRunning      State = "running"
	StateStopped      State = "stopped"
	StateFailed       State = "failed"
	StateNotInstalled State = "not installed"
	StateUnknown      State = "unknown" // there is no manager, or it does not tell
)

// system is the manager through kardianos/service.
type system struct{ service.Service }

// NewManager speaks to the system's service manager. unit is the unit's whole text
// on Linux and empty elsewhere; executable and data are what it runs with.
func NewManager(executable, data, unit string) (Manager, error) {
	s, err := service.New(idle{}, &service.Config{
		Name: Name, DisplayName: "Sealdock dock agent", Executable: executable, Arguments: []string{"run", "--data", data},
		Description: "Copies what docked body cameras hold to the evidence server.",
		Option:      service.KeyValue{"SystemdScript": unit, "RunAtLoad": true, "OnFailure": "restart", "OnFailureDelayDuration": "3s"},
	})
	if err != nil {
		return nil, fmt.Errorf("finding this system's service manager: %w", err)
	}
	return system{s}, nil
}

// State asks the manager.
func (s system) State() State {
	status, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return StateNotInstalled
	case err != nil && strings.Contains(err.Error(), "failed state"): // kardianos has no kind for it
		return StateFailed
	case err == nil && status == service.StatusRunning:
		return StateRunning
	case err == nil && status == service.StatusStopped:
		return StateStopped
	}
	return StateUnknown
}

// idle stands where kardianos wants a program; managing runs none.
type idle struct{}

func (idle) Start(service.Service) error { return nil }
func (idle) Stop(service.Service) error  { return nil }

// Trail is where this system keeps the last words of the service.
func Trail() string {
	if service.Platform() == "linux-systemd" {
		return " Its own words: journalctl -u " + Name
	}
	return ""
}
