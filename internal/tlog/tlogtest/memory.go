package tlogtest

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
)

// Memory is a tlog.Tiles in memory. The zero value is an empty storage. Safe for
// concurrent use.
type Memory struct {
	// Fail, when set, is asked before each Get ("get") and Put ("put"); its error
	// is returned and nothing is done. Set it while no call runs.
	Fail func(operation, path string) error

	mu         sync.Mutex // guards the fields below
	resources  map[string][]byte
	gets, puts int
}

// Get implements tlog.Tiles.
func (m *Memory) Get(ctx context.Context, path string) ([]byte, error) {
	if err := m.begin(ctx, "get", path); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gets++
	data, ok := m.resources[path]
	if !ok {
		return nil, fmt.Errorf("memory: %s: %w", path, fs.ErrNotExist)
	}
	return bytes.Clone(data), nil
}

// Put implements tlog.Tiles.
func (m *Memory) Put(ctx context.Context, path string, data []byte) error {
	if err := m.begin(ctx, "put", path); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.puts++
	if m.resources == nil {
		m.resources = map[string][]byte{}
	}
	m.resources[path] = append([]byte{}, data...)
	return nil
}

// Delete removes a resource.
func (m *Memory) Delete(path string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.resources, path)
}

// Clone is a copy of what is stored.
func (m *Memory) Clone() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Memory{resources: maps.Clone(m.resources)}
}

// Paths lists what is stored, sorted.
func (m *Memory) Paths() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.resources))
}

// Counts returns how many Gets and Puts were answered so far.
func (m *Memory) Counts() (gets, puts int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.gets, m.puts
}

func (m *Memory) begin(ctx context.Context, operation, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.Fail == nil {
		return nil
	}
	return m.Fail(operation, path)
}
