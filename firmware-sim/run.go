package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sealdock/sealdock/firmware-sim/internal/control"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

type runCommand struct {
	Listen     string        `default:"127.0.0.1:3240" placeholder:"ADDR" help:"Where to serve USB/IP: HOST:PORT, or unix:PATH. There is no encryption and no login: keep it local. [${default}]"`
	Control    string        `default:"${socket}" placeholder:"SOCKET" help:"Unix socket for firmware-sim ctl. [${default}]"`
	Cameras    int           `default:"2" placeholder:"N" help:"How many cameras. [${default}]"`
	Recordings int           `default:"4" placeholder:"M" help:"Clips on each camera, each with a metadata file. [${default}]"`
	SizeMib    float64       `default:"90" placeholder:"X" help:"Size of each clip in MiB. [${default}]"`
	Footage    string        `type:"existingdir" placeholder:"DIR" help:"Put the files of this folder on the cameras, byte for byte, instead of made clips."`
	FootageOn  string        `enum:"spread,all" default:"spread" placeholder:"HOW" help:"Deal --footage files out over the cameras (spread), or put all on each (all). [${default}]"`
	Files      int           `placeholder:"N" help:"For measurements: N synthetic files on each camera, pseudo-random bytes that need no disk."`
	FileSize   size          `default:"64KiB" placeholder:"SIZE" help:"Size of each of --files, such as 64KiB or 1GiB. [${default}]"`
	Seed       uint64        `default:"1" placeholder:"S" help:"Same seed, same serial numbers and recordings. [${default}]"`
	Oracle     string        `aliases:"state" type:"path" placeholder:"FILE" help:"Keep the truth about every recording here, as JSON. With a file of an earlier run, what was deleted stays deleted."`
	Cache      string        `type:"path" placeholder:"DIR" help:"Where made clips are kept for next time. [sealdock/footage in the user's cache folder]"`
	ShiftStart time.Time     `default:"2026-03-02T06:45:00Z" placeholder:"TIME" help:"When the first clip began. [${default}]"`
	ClockError time.Duration `placeholder:"DURATION" help:"How far the cameras' clocks are ahead, such as 90s or -2h."`
	ClockDrift float64       `placeholder:"RATIO" help:"Seconds per second that the cameras' clocks run too fast."`
	Unplugged  bool          `help:"Begin with every camera out of its bay."`
	MakerKey   string        `type:"existingfile" placeholder:"FILE" help:"Ed25519 public key (PEM) of who signs firmware for the cameras. [a test key of the seed, see firmware-sim firmware make]"`
	Extension  bool          `negatable:"" default:"true" help:"Cameras have the Sealdock extension: a key, a locked storage, receipts. [${default}]"`
	Plain      int           `placeholder:"N" help:"The first N cameras have no extension, the others do."`
}

func (c *runCommand) config() (simulator.Config, error) {
	maker, err := readMaker(c.MakerKey)
	return simulator.Config{
		Cameras: c.Cameras, Recordings: c.Recordings, ClipSize: int64(c.SizeMib * (1 << 20)), Folder: c.Footage,
		FolderAll: c.FootageOn == "all", Files: c.Files, FileSize: int64(c.FileSize), Seed: c.Seed, Oracle: c.Oracle,
		Cache: c.Cache, ShiftStart: c.ShiftStart, ClockError: c.ClockError, ClockDrift: c.ClockDrift, Unplugged: c.Unplugged, Plain: !c.Extension, PlainFirst: c.Plain, Maker: maker,
	}, err
}

// Run simulates until ctx ends.
func (c *runCommand) Run(ctx context.Context, log *slog.Logger) (err error) {
	sockets, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer sockets.close()
	config, err := c.config()
	if err != nil {
		return err
	}
	s, err := simulator.New(ctx, config, time.Now, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error { return s.Bus().Serve(ctx, sockets.bus) })
	work.Go(func() error { return control.Serve(ctx, sockets.control, control.Handler(s, log)) })
	fmt.Fprintf(os.Stdout, "ready cameras=%d usbip=%s control=%s\n", c.Cameras, sockets.bus.Addr(), c.Control)
	return work.Wait()
}

type sockets struct{ bus, control net.Listener }

func (s sockets) close() {
	s.bus.Close()
	s.control.Close()
}

// listen opens both sockets before the work of making footage, so that a mistake
// in an address shows at once.
func (c *runCommand) listen(ctx context.Context) (s sockets, err error) {
	network, address := "tcp", c.Listen
	if path, ok := strings.CutPrefix(c.Listen, "unix:"); ok {
		network, address = "unix", path
	}
	var config net.ListenConfig
	if s.bus, err = config.Listen(ctx, network, address); err != nil {
		return s, fmt.Errorf("opening --listen %s (HOST:PORT, or unix:PATH): %w", c.Listen, err)
	}
	if s.control, err = control.Listen(ctx, c.Control); err != nil {
		s.bus.Close()
		return s, err
	}
	return s, nil
}

type versionCommand struct{}

// Run prints the version that was built in, or the one that Go noted.
func (versionCommand) Run() error {
	built := version
	if info, ok := debug.ReadBuildInfo(); ok && built == "" {
		built = info.Main.Version
	}
	_, err := fmt.Println("firmware-sim", built)
	return err
}
