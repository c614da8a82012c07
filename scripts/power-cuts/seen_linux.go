package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/sealdock/sealdock/internal/testkit/station"
)

// seen is what an outsider knows: kept in memory, whatever is cut.
type seen struct {
	receipts map[string]station.Item // by evidence id: stored, with a receipt
	ids      []string                // of receipts, in the order of their coming

	mu          sync.Mutex
	checkpoints []string // each that the server has published, once
	cancel      context.CancelFunc
	done        chan struct{}
}

// watch asks a server for its newest checkpoint again and again, until stop.
func (s *seen) watch(web string) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan struct{})
	// Whose checkpoint it is says its signature, which is checked later.
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	go func() {
		defer close(s.done)
		for sleep(ctx, 25*time.Millisecond) == nil {
			if text, err := get(ctx, client, web+"/log/checkpoint"); err == nil {
				s.note(text)
			}
		}
	}()
}

func get(ctx context.Context, client *http.Client, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, answer.Status)
	}
	return string(text), err
}

func (s *seen) note(checkpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.checkpoints); n == 0 || s.checkpoints[n-1] != checkpoint {
		s.checkpoints = append(s.checkpoints, checkpoint)
	}
}

func (s *seen) published() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.checkpoints...)
}

func (s *seen) stop() {
	if s.cancel != nil {
		s.cancel()
		<-s.done
	}
}

// look notes which items have receipts at this instant, and what a cut will meet.
func (s *seen) look(ctx context.Context, r *rig) error {
	items, err := r.Items(ctx)
	if err != nil {
		return fmt.Errorf("before a cut: %w", err)
	}
	if s.receipts == nil {
		s.receipts = map[string]station.Item{}
	}
	for _, i := range items {
		id := i.ID.String()
		if _, known := s.receipts[id]; !known && i.State == "stored" && i.Receipt != nil {
			s.receipts[id], s.ids = i, append(s.ids, id)
		}
	}
	return nil
}

// some are up to n evidence ids of items that were seen stored.
func (s *seen) some(random *rand.Rand, n int) (ids []string) {
	for range min(n, len(s.ids)) {
		ids = append(ids, s.ids[random.IntN(len(s.ids))])
	}
	return ids
}

// gone are the items whose receipts are not what was seen.
func (s *seen) gone(rows []station.Row) (broken []string) {
	now := map[string]station.Item{}
	for _, row := range rows {
		if row.Item != nil {
			now[row.Item.ID.String()] = *row.Item
		}
	}
	for _, id := range s.ids {
		was, is := s.receipts[id], now[id]
		if is.State != "stored" || is.Receipt == nil || !bytes.Equal(is.Receipt.Payload, was.Receipt.Payload) {
			broken = append(broken, fmt.Sprintf("item %s (%s %s) was seen with a receipt before the cut and is now %q: %+v", id, was.Camera, was.Path, is.State, is))
		}
	}
	return broken
}
