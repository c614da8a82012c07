package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/enrol"
	"github.com/sealdock/sealdock/internal/conf"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// place says where configuration and data are. Without --config the file
// agent.toml in the data folder is read, if there is one.
type place struct {
	File string `name:"config" placeholder:"FILE" env:"SEALDOCK_AGENT_CONFIG" help:"Configuration file. Default: agent.toml in the data folder."`
	Data string `placeholder:"DIR" env:"SEALDOCK_AGENT_DATA" help:"Data folder, in place of the one in the configuration."`
}

// file is the path of the configuration file.
func (p place) file() string {
	if p.File != "" {
		return p.File
	}
	data := p.Data
	if data == "" {
		data = daemon.Default().Data
	}
	return filepath.Join(data, "agent.toml")
}

// load reads the effective configuration.
func (p place) load() (daemon.Config, error) {
	config := daemon.Default()
	err := conf.Load(p.file(), &config)
	if err != nil && (p.File != "" || !errors.Is(err, fs.ErrNotExist)) {
		return config, err
	}
	if p.Data != "" {
		config.Data = p.Data
	}
	return config, config.Check()
}

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
	return daemon.Run(ctx, config, programVersion(), time.Now, log)
}

type enrolCommand struct {
	place
	Server  string   `required:"" placeholder:"URL" help:"The server, as its administrator gave it: https://host:8443"`
	Token   string   `required:"" env:"SEALDOCK_TOKEN" placeholder:"TOKEN" help:"Enrolment token (sdt1.…), or - to read it from standard input."`
	Dock    string   `placeholder:"NAME" help:"Refuse a token that is for another dock."`
	Station string   `placeholder:"NAME" help:"Refuse a token that is for another station."`
	USBIP   []string `name:"usbip" placeholder:"ADDRESS" help:"USB/IP servers to write into a new configuration file."`
}

// Run enrols this machine.
func (c *enrolCommand) Run(ctx context.Context) error {
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
	e, err := enrol.Enrol(ctx, enrol.Request{Server: c.Server, Token: strings.TrimSpace(token), Dock: c.Dock, Station: c.Station, Data: config.Data, Now: time.Now})
	if err != nil {
		return err
	}
	fmt.Printf("Enrolled: dock %s of station %s, agency %s, until %s.\n", e.Dock, e.Station, e.Agency, e.Certificate.NotAfter.UTC().Format("2006-01-02 15:04 UTC"))
	config.Cameras.USBIP = append(config.Cameras.USBIP, c.USBIP...)
	var text bytes.Buffer
	if err := conf.Show(&text, &config); err != nil {
		return err
	}
	written, err := enrol.WriteConfig(c.file(), text.Bytes())
	if err != nil {
		return err
	}
	if written {
		fmt.Printf("Configuration written: %s (every setting is explained in it).\n", c.file())
	}
	fmt.Printf("Next: sealdock-agent run --config %s\n", c.file())
	return nil
}

type configCommands struct {
	Show configShowCommand `cmd:"" help:"Print the effective configuration, every setting explained."`
}

type configShowCommand struct{ place }

// Run prints the configuration.
func (c *configShowCommand) Run() error {
	config, err := c.load()
	if err != nil {
		return err
	}
	return conf.Show(os.Stdout, &config)
}

type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run() error {
	fmt.Println("sealdock-agent", programVersion())
	return nil
}
