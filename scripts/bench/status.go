package main

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// agentStatus is what is used here of what an agent tells.
type agentStatus struct {
	Server struct {
		Connected bool   `json:"connected"`
		Carried   uint64 `json:"carried"` // bytes that became durable since the agent's start
		Transfers []struct {
			Segments uint64 `json:"segments"`
			Durable  uint64 `json:"durable"`
		} `json:"transfers"`
	} `json:"server"`
	Spool struct {
		Recordings map[string]int `json:"recordings"`
	} `json:"spool"`
}

// askAgent asks the agent on its socket how it is doing.
func askAgent(of *station.Station) (s agentStatus, err error) {
	conn, err := net.Dial("unix", filepath.Join(of.AgentDir(), "status.sock"))
	if err != nil {
		return s, err
	}
	defer conn.Close()
	return s, json.NewDecoder(conn).Decode(&s)
}

// waiting is how many recordings are in the spool, with no receipt yet.
func (s agentStatus) waiting() int {
	return s.Spool.Recordings["spooled"] + s.Spool.Recordings["uploading"]
}

// spooled asks whether so many recordings wait in the agent's spool.
func spooled(of *station.Station, want int) func() (bool, string) {
	return func() (bool, string) {
		s, err := askAgent(of)
		if err != nil {
			return false, err.Error()
		}
		return s.waiting() >= want, fmt.Sprintf("%d of %d recordings are in the spool", s.waiting(), want)
	}
}

// received asks whether every recording in the spool has its receipt.
func received(of *station.Station) func() (bool, string) {
	return func() (bool, string) {
		s, err := askAgent(of)
		if err != nil {
			return false, err.Error()
		}
		return s.waiting() == 0, fmt.Sprintf("%d recordings wait for their receipts", s.waiting())
	}
}
