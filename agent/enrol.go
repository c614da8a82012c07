package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/agent/internal/service"
	"github.com/sealdock/sealdock/internal/conf"
)

type enrolCommand struct {
	place
	Server  string   `required:"" placeholder:"URL" help:"The server, as its administrator gave it: https://host:8443"`
	Token   string   `required:"" env:"SEALDOCK_TOKEN" placeholder:"TOKEN" help:"Enrolment token (sdt1.…), or - to read it from standard input."`
	Dock    string   `placeholder:"NAME" help:"Refuse a token that is for another dock."`
	Station string   `placeholder:"NAME" help:"Refuse a token that is for another station."`
	USBIP   []string `name:"usbip" placeholder:"ADDRESS" help:"USB/IP servers to write into a new configuration file."`
}

// Run enrols this machine. What root enrols for the service's user belongs to
// that user.
func (c *enrolCommand) Run(ctx context.Context) (err error) {
	c.new = true
	config, err := c.load()
	if err != nil {
		return err
	}
	token := c.Token
	if token == "-" {
		text, err := io.ReadAll(io.LimitReader(os.Stdin, 4096))
		if err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
		token = string(text)
	}
	defer func() { // also of what a refused enrolment left
		if left := service.HandOver(config.Data); !errors.Is(left, fs.ErrNotExist) {
			err = errors.Join(err, left)
		}
	}()
	e, err := enrol.Enrol(ctx, enrol.Request{Server: c.Server, Token: strings.TrimSpace(token), Dock: c.Dock, Station: c.Station, Data: config.Data, Now: time.Now})
	if err != nil {
		return err
	}
	fmt.Printf("Enrolled: dock %s of station %s, agency %s, until %s.\n", e.Dock, e.Station, e.Agency, e.Certificate.NotAfter.UTC().Format("2006-01-02 15:04 UTC"))
	return c.tell(ctx, config)
}

// tell writes a configuration where there is none, and says what to do next.
func (c *enrolCommand) tell(ctx context.Context, config daemon.Config) error {
	config.Cameras.USBIP = append(config.Cameras.USBIP, c.USBIP...)
	if len(c.USBIP) > 0 {
		config.Cameras.Storage = false // a try with a simulator must not empty the memory sticks of the machine that it runs on
	}
	var text bytes.Buffer
	if err := conf.Show(&text, &config); err != nil {
		return err
	}
	written, err := enrol.WriteConfig(c.file(), text.Bytes())
	if err != nil {
		return err
	}
	switch {
	case written:
		fmt.Printf("Configuration written: %s (every setting is explained in it).\n", c.file())
	case len(c.USBIP) > 0:
		fmt.Printf("Configuration left as it is: %s. Write the --usbip addresses into it yourself.\n", c.file())
	}
	if _, err := daemon.FetchStatus(ctx, config.Data); err == nil {
		fmt.Println("Next: restart the agent; the one that runs still uses the former certificate.")
		return nil
	}
	if state := serviceState(); state != service.StateNotInstalled && state != service.StateUnknown {
		fmt.Println("Next: sealdock-agent start")
		return nil
	}
	fmt.Printf("Next: sealdock-agent run --config %s\n", c.file())
	return nil
}
