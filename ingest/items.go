package main

import (
	"context"
	"encoding/json"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/server"
	"github.com/sealdock/sealdock/proto/evidence"
)

type itemsCommand struct {
	configured
	JSON bool `name:"json" help:"One JSON object a line, with the signed manifest and receipt."`
}

// itemLine is an item as --json prints it.
type itemLine struct {
	ID            evidence.EvidenceID    `json:"id"`
	Attempt       uint32                 `json:"attempt"`
	Dock          evidence.DockID        `json:"dock"`
	Camera        string                 `json:"camera"`
	Path          string                 `json:"path"`
	Kind          evidence.Kind          `json:"kind"`
	Length        uint64                 `json:"length"`
	SHA256        evidence.Digest        `json:"sha256"`
	MerkleRoot    evidence.Digest        `json:"merkle_root"`
	State         catalog.ItemState      `json:"state"`
	Reason        string                 `json:"reason,omitempty"`
	OfferedAt     time.Time              `json:"offered_at"`
	StoredAt      time.Time              `json:"stored_at,omitzero"`
	ErasedAt      time.Time              `json:"erased_at,omitzero"`
	ReleaseResult evidence.ReleaseResult `json:"release_result,omitempty"`
	Manifest      json.RawMessage        `json:"manifest,omitempty"`
	Receipt       json.RawMessage        `json:"receipt,omitempty"`
}

// Run lists the items.
func (i *itemsCommand) Run(ctx context.Context, to streams) error {
	config, err := i.existing()
	if err != nil {
		return err
	}
	if i.JSON {
		lines := json.NewEncoder(to.out)
		return server.Items(ctx, config, time.Now, func(item *catalog.Item) error {
			return lines.Encode(itemLine{
				ID: item.ID, Attempt: item.Attempt, Dock: item.Dock, Camera: item.Camera, Path: item.Path, Kind: item.Kind,
				Length: item.Length, SHA256: item.SHA256, MerkleRoot: item.MerkleRoot, State: item.State, Reason: item.Reason,
				OfferedAt: item.OfferedAt, StoredAt: item.StoredAt, ErasedAt: item.ErasedAt, ReleaseResult: item.ReleaseResult,
				Manifest: item.Manifest, Receipt: item.Receipt,
			})
		})
	}
	table := tabwriter.NewWriter(to.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ITEM\tSTATE\tSTORED (UTC)\tCAMERA\tRECORDING\tBYTES\tSHA-256\tORIGINAL")
	count := 0
	err = server.Items(ctx, config, time.Now, func(item *catalog.Item) error {
		count++
		stored, original := "-", "on the camera"
		if !item.StoredAt.IsZero() {
			stored = item.StoredAt.UTC().Format("2006-01-02 15:04:05")
		}
		if !item.ErasedAt.IsZero() {
			original = "erased"
		}
		_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", item.ID, item.State, stored, item.Camera, item.Path, item.Length, item.SHA256, original)
		return err
	})
	if err != nil {
		return err
	}
	if count == 0 {
		fmt.Fprintln(to.log, "The store is empty: dock a camera at an enrolled dock.")
		return nil
	}
	return table.Flush()
}

func evidenceIDs(texts []string) (ids []evidence.EvidenceID, err error) {
	for _, text := range texts {
		id, err := evidence.ParseEvidenceID(text)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}
