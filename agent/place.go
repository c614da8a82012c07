package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/internal/conf"
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
