package kiosk

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/netutil"
)

// DefaultAddress is where officers' screens look for the page.
const DefaultAddress = "127.0.0.1:7081"

// Options is what the page stands on.
type Options struct {
	Address string           // host:port to listen on; empty is DefaultAddress
	Now     func() time.Time // required; its zone is the one that the page shows
	Log     *slog.Logger     // required

	// View returns what to show now; required. It must answer at once: while it
	// does not, the page says that the dock does not answer.
	View func() Dock
	// Changed returns a channel that is closed at the next change of View; nil:
	// View is asked once a second.
	Changed func() <-chan struct{}
	// Urgent puts the recordings of a bay before all others, or no longer. It
	// is called one at a time and may be called with what is already so. nil:
	// there is no button.
	Urgent func(port string, on bool) error

	// AllowNetwork permits an address that other machines can reach. Whoever
	// reaches the page sees officers' names and may press "urgent": there is
	// no login and no encryption.
	AllowNetwork bool
	// Names are host names, without port, that the page answers to besides
	// loopback's, with AllowNetwork only. IP addresses need not be listed.
	Names []string

	// Listen opens the address; nil is TCP.
	Listen func(ctx context.Context, address string) (net.Listener, error)
}

// Bounds of the server.
const (
	maxConnections = 64
	maxHeaders     = 8 << 10 // bytes
	maxForm        = 1 << 10 // bytes
	maxLive        = 16      // open live views
	headerTime     = 5 * time.Second
	requestTime    = 10 * time.Second
	idleTime       = 30 * time.Second
	writeTime      = 5 * time.Second // one live drawing to one screen
	pressTime      = 5 * time.Second // waiting for one's turn to press
	stopTime       = 2 * time.Second
)

// Kiosk serves the page. Make it with New.
type Kiosk struct {
	options  Options
	assets   assets
	pages    *template.Template
	board    *board
	names    map[string]bool
	lives    chan struct{} // one per open live view
	pressing chan struct{} // full while Options.Urgent is asked
}

// New checks the options and reads the pages; it does not listen yet.
func New(o Options) (*Kiosk, error) {
	if o.Now == nil || o.Log == nil || o.View == nil {
		return nil, errors.New("the bay page needs a clock, a log and a view of the dock")
	}
	if o.Address == "" {
		o.Address = DefaultAddress
	}
	if o.Listen == nil {
		o.Listen = func(ctx context.Context, address string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		}
	}
	if err := checkAddress(o.Address, o.AllowNetwork); err != nil {
		return nil, err
	}
	k := &Kiosk{options: o, names: map[string]bool{"localhost": true}, lives: make(chan struct{}, maxLive), pressing: make(chan struct{}, 1)}
	if o.AllowNetwork {
		for _, name := range o.Names {
			k.names[strings.ToLower(name)] = true
		}
	}
	var err error
	if k.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if k.pages, err = k.assets.templates(); err != nil {
		return nil, err
	}
	k.board = newBoard(o, k.pages)
	return k, nil
}

// checkAddress refuses what other machines could reach.
func checkAddress(address string, network bool) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("bay page address %q: %w; it is written like %s", address, err, DefaultAddress)
	}
	if network || isLoopback(host) || host == "localhost" {
		return nil
	}
	return fmt.Errorf("bay page address %q can be reached from other machines: the page has no login and no encryption, shows officers' names and lets anyone press \"urgent\"; "+
		"use %s, or allow the network explicitly if the dock stands in a network of its own", address, DefaultAddress)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Run serves the page until ctx ends, and then returns nil. Any other end is an
// error: the address cannot be listened on, or the server failed.
func (k *Kiosk) Run(ctx context.Context) error {
	listener, err := k.options.Listen(ctx, k.options.Address)
	if err != nil {
		return fmt.Errorf("listening on %s for the bay page: %w; another program may use that port", k.options.Address, err)
	}
	// A name may have been resolved to anything: what counts is where it landed.
	if err := checkAddress(listener.Addr().String(), k.options.AllowNetwork); err != nil {
		listener.Close()
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	server := &http.Server{
		Handler: k.handler(), MaxHeaderBytes: maxHeaders,
		ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		BaseContext: func(net.Listener) context.Context { return ctx }, // live views end with it
		ErrorLog:    slog.NewLogLogger(k.options.Log.Handler(), slog.LevelDebug),
	}
	drawn, served, rested := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(rested)
		drawn <- k.board.run(ctx)
	}()
	go func() { served <- server.Serve(netutil.LimitListener(listener, maxConnections)) }()
	k.options.Log.Info("the bay page is served", "address", "http://"+listener.Addr().String())
	select {
	case <-ctx.Done():
	case err = <-drawn:
	case err = <-served:
		err = fmt.Errorf("serving the bay page: %w", err)
	}
	stop()
	end(server, rested)
	return err
}

// end lets requests and the drawing end for a moment, then ends the requests. A
// View that hangs is left behind: nothing else may hang with it.
func end(server *http.Server, rested <-chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
	}
	select {
	case <-rested:
	case <-ctx.Done():
	}
}

func (k *Kiosk) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", k.page)
	mux.HandleFunc("GET /live", k.live)
	mux.HandleFunc("POST /urgent", k.urgent)
	mux.HandleFunc("GET /static/{release}/{name}", k.assets.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		k.problem(w, http.StatusNotFound, "There is no such page", "The bays are on the first page.")
	})
	return k.gate(mux)
}
