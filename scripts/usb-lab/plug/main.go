package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

type commands struct {
	Measure command `cmd:"" help:"Run the guest, plug cameras in and out, and measure."`
	Pull    pull    `cmd:"" help:"Take one device out of a guest that runs."`
}

// pull takes one device out.
type pull struct {
	QMP string `name:"qmp" required:"" help:"QEMU's control socket."`
	ID  string `arg:"" help:"The device's name in QEMU."`
}

// Run is called by kong.
func (p *pull) Run() error {
	m, err := dialMonitor(p.QMP)
	if err != nil {
		return err
	}
	return errors.Join(m.pull(p.ID), m.close())
}

type command struct {
	QMP    string        `name:"qmp" required:"" help:"QEMU's control socket."`
	Small  string        `required:"" type:"existingdir" help:"What the camera holds that is plugged in again and again."`
	Long   string        `required:"" type:"existingdir" help:"What the camera holds that is pulled in mid-read."`
	Times  int           `default:"10" help:"How often the first camera is plugged in."`
	Within time.Duration `default:"1s" help:"How long a plug may take until docking starts."`
	Strict bool          `env:"SEALDOCK_LAB_STRICT" help:"Fail when a single plug takes longer, not only when the median does or one takes three times as long."`
	Guest  []string      `arg:"" passthrough:"" help:"The command that runs the guest."`
}

func main() {
	var c commands
	called := kong.Parse(&c, kong.Name("plug"), kong.Description("Plug cameras into the USB test guest and measure."))
	if err := called.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "plug:", err)
		os.Exit(1)
	}
}
