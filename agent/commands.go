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
	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/conf"
	"github.com/sealdock/sealdock/internal/telemetry"
)

// place says where configuration and data are. Without --config the file
// agent.toml in the data folder is read, if there is one.
type place struct {
	File string `name:"config" type:"path" placeholder:"FILE" env:"SEALDOCK_AGENT_CONFIG" help:"Configuration file. Default: agent.toml in the data folder."`
	Data string `type:"path" placeholder:"DIR" env:"SEALDOCK_AGENT_DATA" help:"Data folder, in place of the one in the configuration."`
	new  bool   // the configuration file may be missing: it is about to be made
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

// load reads the effective configuration. A relative data folder in the file
// counts from the file's folder.
func (p place) load() (daemon.Config, error) {
	config := daemon.Default()
	err := conf.Load(p.file(), &config)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case missing && p.File != "" && !p.new:
		return config, fmt.Errorf("there is no configuration at %s: name it with --config, or enrol this dock first with sealdock-agent enrol", p.File)
	case err != nil && !missing:
		return config, err
	case p.Data != "":
		config.Data = p.Data
	case !filepath.IsAbs(config.Data):
		config.Data = filepath.Join(filepath.Dir(p.file()), config.Data)
	}
	if err := config.Check(); err != nil {
		return config, fmt.Errorf("configuration %s: %w", p.file(), err)
	}
	return config, nil
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
	return daemon.Run(ctx, config, buildinfo.Version(version), time.Now, log)
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
	fmt.Println("sealdock-agent", buildinfo.Version(version))
	return nil
}
