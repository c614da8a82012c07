package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/sealdock/sealdock/firmware-sim/internal/fault"
	"github.com/sealdock/sealdock/firmware-sim/internal/simulator"
)

const maxAnswer = 256 << 20 // a list of very many recordings

// Client talks to a running simulator. Safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the simulator with that control socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// List shows every bay.
func (c *Client) List(ctx context.Context) (bays []simulator.Bay, err error) {
	return bays, c.call(ctx, http.MethodGet, "/bays", nil, &bays)
}

// Plug puts a camera into its bay.
func (c *Client) Plug(ctx context.Context, bay string) error {
	return c.call(ctx, http.MethodPost, path(bay, "plug"), nil, nil)
}

// Unplug pulls a camera out of its bay.
func (c *Client) Unplug(ctx context.Context, bay string) error {
	return c.call(ctx, http.MethodPost, path(bay, "unplug"), nil, nil)
}

// Record makes a new recording on a camera.
func (c *Client) Record(ctx context.Context, bay string) (made []simulator.Recording, err error) {
	return made, c.call(ctx, http.MethodPost, path(bay, "record"), nil, &made)
}

// Remove makes a camera lose a recording.
func (c *Client) Remove(ctx context.Context, bay, recording string) error {
	return c.call(ctx, http.MethodPost, path(bay, "remove"), removal{recording}, nil)
}

// Restart switches a camera off and on again.
func (c *Client) Restart(ctx context.Context, bay string) error {
	return c.call(ctx, http.MethodPost, path(bay, "restart"), nil, nil)
}

// Urgent marks a recording as urgent, or takes the mark away.
func (c *Client) Urgent(ctx context.Context, bay, recording string, urgent bool) error {
	return c.call(ctx, http.MethodPost, path(bay, "urgent"), mark{recording, urgent}, nil)
}

// Agency makes a camera another agency's; with an empty name nobody's.
func (c *Client) Agency(ctx context.Context, bay, name string) error {
	return c.call(ctx, http.MethodPost, path(bay, "agency"), agency{name}, nil)
}

// Behave has a camera behave so from now on.
func (c *Client) Behave(ctx context.Context, bay string, how simulator.Behaviour) error {
	return c.call(ctx, http.MethodPost, path(bay, "behave"), how, nil)
}

// Break arms a fault on a camera.
func (c *Client) Break(ctx context.Context, bay string, f fault.Fault) error {
	return c.call(ctx, http.MethodPost, path(bay, "faults"), f, nil)
}

// Clear removes every fault of a camera.
func (c *Client) Clear(ctx context.Context, bay string) error {
	return c.call(ctx, http.MethodDelete, path(bay, "faults"), nil, nil)
}

func path(bay, act string) string { return "/bays/" + url.PathEscape(bay) + "/" + act }

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("asking the simulator: %w", err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://simulator"+path, body)
	if err != nil {
		return fmt.Errorf("asking the simulator: %w", err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("asking the simulator at %s (is it running, with this --control?): %w", c.socket, err)
	}
	defer answer.Body.Close()
	d := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer))
	if answer.StatusCode != http.StatusOK {
		var f failure
		if err := d.Decode(&f); err != nil || f.Error == "" {
			return fmt.Errorf("the simulator answered %s", answer.Status)
		}
		return errors.New(f.Error)
	}
	if out == nil {
		return nil
	}
	if err := d.Decode(out); err != nil {
		return fmt.Errorf("reading the simulator's answer: %w", err)
	}
	return nil
}
