package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"time"
)

// monitor is QEMU's machine protocol: JSON lines over a unix socket.
type monitor struct {
	conn net.Conn
	in   *bufio.Scanner
}

func dialMonitor(path string) (*monitor, error) {
	conn, err := net.DialTimeout("unix", path, 10*time.Second)
	if err != nil {
		return nil, fmt.Errorf("reaching QEMU's monitor: %w", err)
	}
	m := &monitor{conn: conn, in: bufio.NewScanner(conn)}
	if !m.in.Scan() {
		return nil, fmt.Errorf("QEMU's monitor sends no greeting: %w", m.in.Err())
	}
	return m, m.run("qmp_capabilities", nil)
}

// run runs one command; events before its answer are passed over.
func (m *monitor) run(name string, arguments map[string]any) error {
	request := map[string]any{"execute": name}
	if arguments != nil {
		request["arguments"] = arguments
	}
	p, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if err := m.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	if _, err := m.conn.Write(append(p, '\n')); err != nil {
		return fmt.Errorf("telling QEMU %s: %w", name, err)
	}
	for m.in.Scan() {
		var answer struct {
			Return *json.RawMessage
			Error  *struct{ Desc string }
		}
		if err := json.Unmarshal(m.in.Bytes(), &answer); err != nil {
			return fmt.Errorf("QEMU's answer to %s: %w", name, err)
		}
		switch {
		case answer.Error != nil:
			return fmt.Errorf("QEMU refused %s: %s", name, answer.Error.Desc)
		case answer.Return != nil:
			return nil
		}
	}
	return fmt.Errorf("QEMU did not answer %s: %w", name, m.in.Err())
}

// plug puts an MTP responder that shows a folder into the first port.
func (m *monitor) plug(id, folder string) error {
	return m.run("device_add", map[string]any{"driver": "usb-mtp", "id": id, "bus": "usb.0", "port": "1", "rootdir": folder, "readonly": true})
}

func (m *monitor) pull(id string) error { return m.run("device_del", map[string]any{"id": id}) }

func (m *monitor) close() error { return m.conn.Close() }
