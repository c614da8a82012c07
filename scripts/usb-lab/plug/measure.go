package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tries is how often a series is measured on a busy machine.
const tries = 3

// copied is what the agent says of a recording that it has read to its end, twice.
const copied = "recording copied and confirmed"

// Run plugs, pulls, measures and judges. It is called by kong.
func (c *command) Run() (err error) {
	arguments := c.Guest
	if len(arguments) > 0 && arguments[0] == "--" {
		arguments = arguments[1:]
	}
	g, err := startGuest(arguments)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			g.kill()
			g.tell()
		}
	}()
	if _, err := g.await("connected to the server", 2*time.Minute); err != nil {
		return err
	}
	m, err := dialMonitor(c.QMP)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	plugs, pulls, err := c.measure(g, m)
	if err != nil {
		return err
	}
	if err := c.midRead(g, m); err != nil {
		return err
	}
	if err := g.end(); err != nil {
		return err
	}
	slowest := slices.Max(plugs)
	fmt.Printf("plug: %d plugs, docking started after %v at the median and %v at most (allowed %v); departures noticed after %v at most\n",
		len(plugs), median(plugs), slowest, c.Within, slices.Max(pulls))
	switch {
	case slowest <= c.Within:
		return nil
	case !c.Strict && median(plugs) <= c.Within && slowest <= spread*c.Within:
		// The guest's processors are emulated: one slow plug of many may be the machine's.
		fmt.Printf("plug: NOTE: not every plug was in work within %v (%d processors, load %s); --strict makes that a failure\n", c.Within, runtime.NumCPU(), load())
		return nil
	}
	return fmt.Errorf("a plugged camera was in work after %v at the median and %v at most, allowed are %v (on %d processors with a load of %s; measure on an idle machine)", median(plugs), slowest, c.Within, runtime.NumCPU(), load())
}

// spread is how many times the allowed time a single plug may take in an emulated guest.
const spread = 3

// measure plugs one camera in and out. A series with a plug that took too long while
// other programs wanted the machine says nothing about ours, and is measured again.
func (c *command) measure(g *guest, m *monitor) (plugs, pulls []time.Duration, err error) {
	for try := 1; ; try++ {
		plugs, pulls, err = c.series(g, m, try)
		if err != nil || slices.Max(plugs) <= c.Within || try == tries || !busy() {
			return plugs, pulls, err
		}
		fmt.Printf("plug: one of %d plugs took %v with a load of %s on %d processors: measured again\n", len(plugs), slices.Max(plugs), load(), runtime.NumCPU())
	}
}

// series plugs and pulls so often as is wanted.
func (c *command) series(g *guest, m *monitor, try int) (plugs, pulls []time.Duration, err error) {
	for i := range c.Times {
		id := fmt.Sprintf("small%d-%d", try, i)
		seen, took, err := c.plug(g, m, id, c.Small)
		if err != nil {
			return nil, nil, err
		}
		plugs = append(plugs, took)
		if _, err := g.await("camera listed", time.Minute); err != nil {
			return nil, nil, err
		}
		began := time.Now()
		if err := m.pull(id); err != nil {
			return nil, nil, err
		}
		noticed, err := g.await("camera taken out", time.Minute)
		if err != nil {
			return nil, nil, err
		}
		pulls = append(pulls, noticed.Sub(began).Round(time.Millisecond))
		fmt.Printf("plug: plug %d: seen after %v, docking started after %v; pulled: noticed after %v\n", i+1, seen, took, pulls[i])
	}
	return plugs, pulls, nil
}

// midRead pulls a camera while it is read, and plugs it in again. That nothing is
// lost is for the guest to check.
func (c *command) midRead(g *guest, m *monitor) error {
	if _, _, err := c.plug(g, m, "long0", c.Long); err != nil {
		return err
	}
	if _, err := g.await("camera listed", time.Minute); err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond) // the reading takes a second at least
	if err := m.pull("long0"); err != nil {
		return err
	}
	if _, err := g.await("camera taken out", time.Minute); err != nil {
		return err
	}
	if g.said(copied, "LONG0001") {
		return errors.New("the recording had been read before the camera was pulled: nothing was tried")
	}
	_, took, err := c.plug(g, m, "long1", c.Long)
	if err != nil {
		return err
	}
	fmt.Printf("plug: pulled in mid-read and plugged in again: docking started after %v\n", took)
	_, err = g.await(copied, 2*time.Minute)
	return err
}

// plug gives how long it took from the plug until the agent saw the camera, most of
// which is the emulated kernel's work, and until docking started.
func (c *command) plug(g *guest, m *monitor, id, folder string) (seen, started time.Duration, err error) {
	began := time.Now()
	if err := m.plug(id, folder); err != nil {
		return 0, 0, err
	}
	came, err := g.await("camera plugged in", time.Minute)
	if err != nil {
		return 0, 0, err
	}
	docked, err := g.await("docking started", time.Minute)
	return came.Sub(began).Round(time.Millisecond), docked.Sub(began).Round(time.Millisecond), err
}

func median(list []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// busy says whether other programs wait for processors: the guest alone does not
// have more threads at work than there are processors, and one that gives to the disk.
func busy() bool {
	value, err := strconv.ParseFloat(load(), 64)
	return err == nil && value > float64(runtime.NumCPU()+1)
}

// load is the machine's load average of the last minute, for those who judge the figures.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
