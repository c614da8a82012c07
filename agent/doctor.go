package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sealdock/sealdock/agent/internal/daemon"
	"github.com/sealdock/sealdock/agent/internal/doctor"
)

type doctorCommand struct {
	place
	JSON bool `name:"json" help:"One JSON array of findings, for programs."`
}

// Run examines this machine. It fails when a finding does.
func (c *doctorCommand) Run(ctx context.Context) error {
	config, configErr := c.load()
	if configErr != nil { // what it says is not to be trusted, but for where the data is
		config = daemon.Default()
		if c.Data != "" {
			config.Data = c.Data
		}
	}
	findings := doctor.Examine(ctx, doctor.ThisStation(config, configErr, serviceState, time.Now))
	show := showFindings
	if c.JSON {
		show = func(out io.Writer, findings []doctor.Finding) error {
			encoder := json.NewEncoder(out)
			encoder.SetEscapeHTML(false)
			return encoder.Encode(findings)
		}
	}
	if err := show(os.Stdout, findings); err != nil {
		return err
	}
	if failed := count(findings, doctor.Fail); failed > 0 {
		return errFound
	}
	return nil
}

// errFound ends doctor with status 1; the findings have said all.
var errFound = errors.New("something on this machine must be mended; see FAIL above")

// showFindings prints a line per finding and, where there is one, its advice below.
func showFindings(out io.Writer, findings []doctor.Finding) error {
	for _, f := range findings {
		if _, err := fmt.Fprintf(out, "%-4s  %-13s  %s\n", f.Verdict, f.Check, f.Said); err != nil {
			return err
		}
		if f.Advice == "" {
			continue
		}
		if _, err := fmt.Fprintf(out, "%21s> %s\n", "", f.Advice); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "%d fine, %d to look at, %d to mend\n", count(findings, doctor.OK), count(findings, doctor.Warn), count(findings, doctor.Fail))
	return err
}

func count(findings []doctor.Finding, verdict doctor.Verdict) int {
	n := 0
	for _, f := range findings {
		if f.Verdict == verdict {
			n++
		}
	}
	return n
}
