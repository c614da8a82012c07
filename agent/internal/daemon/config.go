package daemon

import (
	"fmt"
	"net"
	"time"

	"github.com/sealdock/sealdock/agent/internal/kiosk"
	"github.com/sealdock/sealdock/agent/internal/offload"
	"github.com/sealdock/sealdock/agent/internal/spool"
	"github.com/sealdock/sealdock/agent/internal/upload"
)

// Config is the agent's configuration file. The help texts are its manual.
type Config struct {
	Data    string  `toml:"data" help:"Folder for the agent's identity, spool and status socket. Only one agent may use it."`
	Cameras Cameras `toml:"cameras" help:"Where cameras are looked for."`
	Copying Copying `toml:"copying" help:"How recordings are copied from cameras."`
	Page    Page    `toml:"page" help:"The page for officers on the dock's own screen."`
	Spool   Spool   `toml:"spool" help:"Room for sealed copies that wait for the server."`
	Server  Server  `toml:"server" help:"How the server is reached. Its address was kept when the dock was enrolled."`
	Metrics Metrics `toml:"metrics" help:"Figures for a monitoring system (Prometheus)."`
	Log     Log     `toml:"log" help:"What the agent writes about its work."`
}

// Cameras says where cameras are looked for.
type Cameras struct {
	USB       bool          `toml:"usb" help:"Use this machine's own USB ports."`
	Storage   bool          `toml:"storage" help:"Take in cameras on USB that are mass-storage devices (FAT, exFAT). They are mounted read-only and out of reach of other programs; that needs the right CAP_SYS_ADMIN, which the installed service has."`
	USBIP     []string      `toml:"usbip" help:"USB/IP servers whose devices are used too: \"host:port\" or \"unix:/path\". USB/IP is not encrypted: same machine or a network of its own only."`
	Bays      []string      `toml:"bays" help:"USB port paths such as \"1-1.2\" in the order in which the bays are numbered on the dock: the first is bay 1. Others go by their port path."`
	SetClocks bool          `toml:"set_clocks" help:"Set the clock of each docked camera after it was compared with the dock's."`
	Poll      time.Duration `toml:"poll" help:"How often to look for cameras that came or went, where the system does not tell when one is plugged in."`
}

// Copying says how recordings are copied.
type Copying struct {
	Bays        int           `toml:"bays" help:"How many bays may be read at once. Each takes about 8 MiB of memory."`
	ReadTimeout time.Duration `toml:"read_timeout" help:"How long a camera may take to deliver 1 MiB before its reading is given up for the moment."`
	Relist      time.Duration `toml:"relist" help:"How often a docked camera is asked for new recordings."`
	Erase       bool          `toml:"erase" help:"Let cameras erase a recording once the server's receipt for it was verified. false keeps everything on the cameras."`
}

// Page says where officers see their bays.
type Page struct {
	Address string   `toml:"address" help:"host:port (TCP) of the page; empty for none. It has no login: keep it on this machine."`
	Network bool     `toml:"network" help:"Allow an address that other machines reach. They then see officers' names and may press \"urgent\"."`
	Names   []string `toml:"names" help:"Host names that the page answers to besides the machine's own, with network only."`
}

// Spool says how much room copies may take.
type Spool struct {
	QuotaBytes   uint64 `toml:"quota_bytes" help:"Most bytes that copies may take; 0 for no limit but the disk. When it is reached, copying pauses and goes on by itself."`
	ReserveBytes uint64 `toml:"reserve_bytes" help:"Bytes of the disk that copies leave free, so that receipts can always be noted."`
}

// Server says how the server is reached.
type Server struct {
	Address  string        `toml:"address" help:"host:port of the server. Empty: the one noted when the dock was enrolled."`
	TCP      bool          `toml:"tcp" help:"Reach the server over TLS on TCP, same port, where QUIC (UDP) does not get through or carries less."`
	Lanes    int           `toml:"connections" help:"Most connections to the server at once. A good line needs one or two whatever this says; more help where packets get lost."`
	InFlight int           `toml:"in_flight" help:"Long recordings that are sent at once; of short ones, as many as take the same memory."`
	Longest  time.Duration `toml:"longest_pause" help:"Longest pause between two tries to reach the server."`
}

// Metrics says where figures are served.
type Metrics struct {
	Address string `toml:"address" help:"host:port (TCP) where http://host:port/metrics answers, without a password; best on 127.0.0.1. Empty: nowhere."`
}

// Log says what is logged.
type Log struct {
	Level  string `toml:"level" help:"debug, info, warn or error."`
	Format string `toml:"format" help:"text or json."`
}

// Default is the configuration that stands where the file says nothing.
func Default() Config {
	return Config{
		Data:    "/var/lib/sealdock-agent",
		Cameras: Cameras{USB: true, Storage: true, USBIP: []string{}, Bays: []string{}, SetClocks: true, Poll: 500 * time.Millisecond},
		Copying: Copying{Bays: 8, ReadTimeout: 30 * time.Second, Relist: 15 * time.Second, Erase: true},
		Page:    Page{Address: kiosk.DefaultAddress, Names: []string{}},
		Spool:   Spool{ReserveBytes: spool.DefaultReserve},
		Server:  Server{TCP: true, Lanes: 16, InFlight: 4, Longest: 20 * time.Second},
		Log:     Log{Level: "info", Format: "text"},
	}
}

// Check reports the first setting that cannot be worked with.
func (c Config) Check() error {
	switch {
	case c.Data == "":
		return fmt.Errorf("setting data: a folder is needed")
	case !c.Cameras.USB && !c.Cameras.Storage && len(c.Cameras.USBIP) == 0:
		return fmt.Errorf("settings cameras.usb, cameras.storage and cameras.usbip: no camera can be found with all of them off")
	case c.Cameras.Poll < 50*time.Millisecond || c.Cameras.Poll > time.Minute:
		return fmt.Errorf("setting cameras.poll: %v, allowed are 50ms to 1m", c.Cameras.Poll)
	case c.Copying.Bays < 1 || c.Copying.Bays > 64:
		return fmt.Errorf("setting copying.bays: %d, allowed are 1 to 64", c.Copying.Bays)
	case c.Copying.ReadTimeout < time.Second || c.Copying.ReadTimeout > 10*time.Minute:
		return fmt.Errorf("setting copying.read_timeout: %v, allowed are 1s to 10m", c.Copying.ReadTimeout)
	case c.Copying.Relist < 100*time.Millisecond || c.Copying.Relist > time.Hour:
		return fmt.Errorf("setting copying.relist: %v, allowed are 100ms to 1h", c.Copying.Relist)
	case c.Server.InFlight < 1 || c.Server.InFlight > 32:
		return fmt.Errorf("setting server.in_flight: %d, allowed are 1 to 32", c.Server.InFlight)
	case c.Server.Lanes < 1 || c.Server.Lanes > 64:
		return fmt.Errorf("setting server.connections: %d, allowed are 1 to 64", c.Server.Lanes)
	case c.Server.Longest < time.Second || c.Server.Longest > time.Hour:
		return fmt.Errorf("setting server.longest_pause: %v, allowed are 1s to 1h", c.Server.Longest)
	}
	for name, address := range map[string]string{"server.address": c.Server.Address, "metrics.address": c.Metrics.Address, "page.address": c.Page.Address} {
		if _, _, err := net.SplitHostPort(address); address != "" && err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// offloadOptions and uploadOptions hand the settings down.
func (c Config) offloadOptions() offload.Options {
	return offload.Options{Reading: c.Copying.Bays, ReadTimeout: c.Copying.ReadTimeout, Relist: c.Copying.Relist, KeepOnCard: !c.Copying.Erase, LeaveClocks: !c.Cameras.SetClocks}
}

func (c Config) uploadOptions() upload.Options {
	return upload.Options{InFlight: c.Server.InFlight, Longest: c.Server.Longest, Lanes: c.Server.Lanes, OnlyQUIC: !c.Server.TCP}
}
