package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// node is one Syncthing, with its own folder and a key to its API.
type node struct {
	home, id    string
	gui, listen string
	cmd         *exec.Cmd
	stop        func()
}

const syncthingKey = "bench"

// carrySyncthing puts the files into one node's folder and waits until the other
// has all of them.
func carrySyncthing(ctx context.Context, r *peerRun, s set) (c carried, err error) {
	var nodes [2]*node
	for i := range nodes {
		if nodes[i], err = r.syncthing(ctx, filepath.Join(r.target, fmt.Sprint(i))); err != nil {
			return c, err
		}
		defer nodes[i].stop()
	}
	for i, n := range nodes {
		other := nodes[1-i]
		if err := n.ask(ctx, http.MethodPost, "config/devices", map[string]any{"deviceID": other.id, "addresses": []string{"tcp4://" + other.listen}, "compression": "never"}, nil); err != nil {
			return c, err
		}
		kind := []string{"sendonly", "receiveonly"}[i]
		if err := n.ask(ctx, http.MethodPost, "config/folders", map[string]any{
			"id": "f", "path": n.folder(), "type": kind, "devices": []map[string]string{{"deviceID": other.id}}, "fsWatcherEnabled": false, "rescanIntervalS": 0,
		}, nil); err != nil {
			return c, err
		}
	}
	if err := station.Wait(ctx, nodes[0].connected(ctx)); err != nil {
		return c, err
	}
	time.Sleep(3 * time.Second) // until both have exchanged their empty indexes
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return c, err
	}
	for _, f := range files {
		if err := os.Link(filepath.Join(s.dir, f.Name()), filepath.Join(nodes[0].folder(), f.Name())); err != nil {
			return c, err
		}
	}
	var before, after [2]float64
	for i, n := range nodes {
		if before[i], err = treeCPU(n.cmd.Process.Pid); err != nil {
			return c, err
		}
	}
	began := time.Now()
	if err := nodes[0].ask(ctx, http.MethodPost, "db/scan?folder=f", struct{}{}, nil); err != nil {
		return c, err
	}
	if err := station.Wait(ctx, nodes[1].has(ctx, s.bytes())); err != nil {
		return c, err
	}
	c.wall = time.Since(began)
	for i, n := range nodes {
		if after[i], err = treeCPU(n.cmd.Process.Pid); err != nil {
			return c, err
		}
	}
	c.client, c.server = after[0]-before[0], after[1]-before[1]
	return c, nil
}

func (n *node) folder() string { return filepath.Join(n.home, "data") }

// syncthing makes a node that knows nobody and tells nobody of itself.
func (r *peerRun) syncthing(ctx context.Context, home string) (*node, error) {
	n := &node{home: home}
	var err error
	for _, address := range []*string{&n.gui, &n.listen} {
		if *address, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(n.folder(), 0o700); err != nil {
		return nil, err
	}
	if _, err := r.run(ctx, nil, "syncthing", "generate", "--home="+home, "--no-default-folder"); err != nil {
		return nil, err
	}
	path := filepath.Join(home, "config.xml")
	conf, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := func(pattern, value string) { conf = regexp.MustCompile(pattern).ReplaceAll(conf, []byte("${1}"+value)) }
	set(`(<gui[^>]*>\s*<address>)[^<]*`, n.gui)
	set(`(<apikey>)[^<]*`, syncthingKey)
	set(`(<listenAddress>)[^<]*`, "tcp4://"+n.listen)
	for _, name := range []string{"globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled", "startBrowser", "crashReportingEnabled"} {
		set("(<"+name+">)[^<]*", "false")
	}
	set("(<urAccepted>)[^<]*", "-1")
	set("(<autoUpgradeIntervalH>)[^<]*", "0")
	if err := os.WriteFile(path, conf, 0o600); err != nil {
		return nil, err
	}
	if n.cmd, n.stop, err = r.serve(ctx, []string{"STNOUPGRADE=1"}, "syncthing", "serve", "--home="+home, "--no-browser", "--no-upgrade"); err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = station.Wait(limited, func() (bool, string) {
		var status struct {
			MyID string `json:"myID"`
		}
		if err := n.ask(limited, http.MethodGet, "system/status", nil, &status); err != nil {
			return false, err.Error()
		}
		n.id = status.MyID
		return n.id != "", "it has no name yet"
	})
	if err != nil {
		n.stop()
		return nil, fmt.Errorf("waiting for Syncthing: %w", err)
	}
	return n, nil
}

func (n *node) connected(ctx context.Context) func() (bool, string) {
	return func() (bool, string) {
		var all struct {
			Connections map[string]struct{ Connected bool } `json:"connections"`
		}
		if err := n.ask(ctx, http.MethodGet, "system/connections", nil, &all); err != nil {
			return false, err.Error()
		}
		for _, c := range all.Connections {
			if c.Connected {
				return true, ""
			}
		}
		return false, "the two nodes are not connected"
	}
}

func (n *node) has(ctx context.Context, bytes int64) func() (bool, string) {
	return func() (bool, string) {
		var s struct {
			LocalBytes int64  `json:"localBytes"`
			NeedBytes  int64  `json:"needBytes"`
			State      string `json:"state"`
		}
		if err := n.ask(ctx, http.MethodGet, "db/status?folder=f", nil, &s); err != nil {
			return false, err.Error()
		}
		return s.LocalBytes >= bytes && s.NeedBytes == 0 && s.State == "idle", fmt.Sprintf("%d of %d bytes are there", s.LocalBytes, bytes)
	}
}

// ask calls the node's API.
func (n *node) ask(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://"+n.gui+"/rest/"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("X-API-Key", syncthingKey)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, answer.Status)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer.Body).Decode(into)
}
