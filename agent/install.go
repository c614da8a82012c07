package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/service"
)

type installCommand struct {
	Data   string `type:"path" placeholder:"DIR" env:"SEALDOCK_AGENT_DATA" help:"Data folder of the service, in place of the usual one."`
	DryRun bool   `name:"dry-run" help:"Only say what would be done."`
}

// Run makes the agent a service of this system.
func (c *installCommand) Run(ctx context.Context) error {
	machine, err := service.ThisMachine(os.Stdout)
	if err != nil {
		return err
	}
	data := c.Data
	if data == "" {
		data = daemon.Default().Data
	}
	if err := service.Install(ctx, machine, data, c.DryRun); err != nil || c.DryRun {
		return err
	}
	given := ""
	if c.Data != "" {
		given = " --data " + data
	}
	if _, err := os.Stat(filepath.Join(data, "identity", "enrolment.json")); err == nil {
		fmt.Printf("Next: sealdock-agent restart%s, then sealdock-agent doctor%s\n", given, given)
		return nil
	}
	fmt.Printf("Next: sealdock-agent enrol --server URL --token -%s, then sealdock-agent start%s\n", given, given)
	return nil
}

type uninstallCommand struct {
	DryRun bool `name:"dry-run" help:"Only say what would be done."`
}

// Run takes the service away again.
func (c *uninstallCommand) Run(ctx context.Context) error {
	machine, err := service.ThisMachine(os.Stdout)
	if err != nil {
		return err
	}
	if err := service.Uninstall(ctx, machine, c.DryRun); err != nil || c.DryRun {
		return err
	}
	fmt.Println("The data folder stays as it is: it holds the dock's keys and every recording that waits for the server. The program and its user stay too.")
	return nil
}

type startCommand struct{ place }

// Run starts the service.
func (c *startCommand) Run() error { return c.manage(service.Manager.Start, "Started.") }

type restartCommand struct{ place }

// Run restarts the service.
func (c *restartCommand) Run() error { return c.manage(service.Manager.Restart, "Restarted.") }

type stopCommand struct{}

// Run stops the service.
func (c *stopCommand) Run() error {
	return manage(service.Manager.Stop, "Stopped. Nothing is lost: cameras keep what the server has not proven to hold.")
}

// manage acts on a service that can run: an unenrolled dock would not.
func (p place) manage(act func(service.Manager) error, done string) error {
	config, err := p.load()
	if err != nil {
		return err
	}
	if _, err := enrol.Load(config.Data); err != nil {
		return err
	}
	return manage(act, done)
}

func manage(act func(service.Manager) error, done string) error {
	manager, err := serviceManager()
	if err != nil {
		return err
	}
	if manager.State() == service.StateNotInstalled {
		return errors.New("the service is not installed: run sealdock-agent install first")
	}
	if os.Geteuid() > 0 {
		return service.ErrNotRoot
	}
	if err := act(manager); err != nil {
		return fmt.Errorf("%w%s", err, service.Trail())
	}
	fmt.Println(done)
	return nil
}

func serviceManager() (service.Manager, error) {
	machine, err := service.ThisMachine(os.Stdout)
	if err != nil {
		return nil, err
	}
	return machine.Manager(machine.Executable, daemon.Default().Data, "")
}

// serviceState is how the service stands, as far as this system tells.
func serviceState() service.State {
	manager, err := serviceManager()
	if err != nil {
		return service.StateUnknown
	}
	return manager.State()
}
