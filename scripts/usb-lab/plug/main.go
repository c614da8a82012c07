package main

import (
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"
)

type command struct {
	QMP    string        `name:"qmp" required:"" help:"QEMU's control socket."`
	Small  string        `required:"" type:"existingdir" help:"What the camera holds that is plugged in again and again."`
	Long   string        `required:"" type:"existingdir" help:"What the camera holds that is pulled in mid-read."`
	Times  int           `default:"10" help:"How often the first camera is plugged in."`
	Within time.Duration `default:"1s" help:"How long a plug may take until docking starts."`
	Guest  []string      `arg:"" passthrough:"" help:"The command that runs the guest."`
}

func main() {
	var c command
	kong.Parse(&c, kong.Name("plug"), kong.Description("Plug cameras into the USB test guest and measure."))
	if err := c.run(); err != nil {
		fmt.Fprintln(os.Stderr, "plug:", err)
		os.Exit(1)
	}
}
