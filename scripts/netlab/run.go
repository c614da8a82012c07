package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/netlab"
)

func run(args []string) (int, error) {
	o, err := parse(args, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0, nil
	} else if err != nil {
		return 2, err
	}
	lab, err := netlab.Open(o.link)
	if err != nil {
		return 1, err
	}
	defer lab.Close()
	if o.server != "" {
		stop, err := serve(lab, o)
		if err != nil {
			return 1, err
		}
		defer stop()
	}
	code, err := drive(lab, o.client)
	if err != nil {
		return 1, err
	}
	return code, report(lab.Stats(), o.stats)
}

// serve starts the server's command and gives what ends it.
func serve(lab *netlab.Lab, o options) (stop func(), err error) {
	cmd := shell(o.server)
	if err := lab.Server.Start(cmd); err != nil {
		return nil, fmt.Errorf("starting the server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return nil, fmt.Errorf("the server ended before the client started: %v", err)
	case <-time.After(o.settle):
	}
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(o.grace):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
	}, nil
}

// drive runs the client's command to its end and returns its exit status.
func drive(lab *netlab.Lab, command string) (int, error) {
	cmd := shell(command)
	lab.Begin()
	if err := lab.Client.Start(cmd); err != nil {
		return 0, fmt.Errorf("starting the client: %w", err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		for s := range signals {
			_ = syscall.Kill(-cmd.Process.Pid, s.(syscall.Signal))
		}
	}()
	err := cmd.Wait()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return max(failed.ExitCode(), 1), nil
	}
	return 0, err
}

func report(s netlab.Stats, path string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if path != "" {
		return os.WriteFile(path, text, 0o600)
	}
	_, err = os.Stderr.Write(text)
	return err
}

func shell(command string) *exec.Cmd {
	c := exec.Command("sh", "-c", command)
	c.Env = append(os.Environ(), "NETLAB_SERVER_IP="+netlab.ServerAddress, "NETLAB_CLIENT_IP="+netlab.ClientAddress)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}
