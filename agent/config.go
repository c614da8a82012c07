package main

import (
	"fmt"
	"os"

	"github.com/sealdock/sealdock/internal/buildinfo"
	"github.com/sealdock/sealdock/internal/conf"
)

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

// Run prints the version, and what does the cryptography.
func (versionCommand) Run() error {
	fmt.Printf("sealdock-agent %s\n%s\n", buildinfo.Version(version), buildinfo.Cryptography())
	return nil
}
