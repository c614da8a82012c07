package dashboard

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/api/reading"
	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/proto/evidence"
)

type receiptView struct {
	base
	ID, Name             string // of the recording
	Verdict              status
	Words                string
	Rows                 []fact
	Checkpoint, Envelope string
}

func (d *Dashboard) openReceipt(w http.ResponseWriter, r *http.Request, actor *auth.Actor) (*reading.ItemView, bool) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return nil, false
	}
	v, err := d.Reading.Receipt(r.Context(), actor, id)
	if err != nil {
		d.fail(w, r, actor, err)
		return nil, false
	}
	return v, true
}

func (d *Dashboard) receipt(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	v, ok := d.openReceipt(w, r, actor)
	if !ok {
		return
	}
	item := v.Item
	page := receiptView{
		base: d.roomBase(r.Context(), actor, "Receipt", "evidence"),
		ID:   item.ID.String(), Name: baseName(item.Path), Envelope: indented(item.Receipt),
		Verdict: status{"bad", "stop", "Signature does not hold"},
		Words:   "The receipt that is kept for this item cannot be read. It is shown below as it is kept.",
	}
	if v.ReceiptSigned {
		page.Verdict = status{"ok", "ok", "Signature holds"}
	}
	if rc := v.Receipt; rc != nil {
		page.Checkpoint = rc.Proof.Checkpoint
		page.Words = "Recording " + baseName(rc.Path) + " of camera " + rc.CameraSerial + ", " + countText(rc.Length) + " bytes, was stored for " + string(rc.Agency) +
			", read back from the medium, decrypted and hashed, and entered into the custody log as entry " + countText(rc.Proof.Index) + ", on " + d.stampOf(rc.StoredAt) + "."
		page.Rows = []fact{
			{Name: "Recording", Value: rc.Path, Mono: true},
			{Name: "Evidence id", Value: rc.Evidence.String(), Mono: true, Note: "reading no. " + strconv.FormatUint(uint64(rc.Attempt), 10)},
			{Name: "Dock", Value: string(rc.Dock), Mono: true},
			{Name: "SHA-256, read back", Value: rc.SHA256.String(), Mono: true},
			{Name: "Merkle root", Value: rc.MerkleRoot.String(), Mono: true},
			{Name: "Manifest’s SHA-256", Value: rc.ManifestDigest.String(), Mono: true},
			{Name: "Stored", Time: rc.StoredAt, Note: "server’s clock"},
			{Name: "Custody log", Value: rc.Proof.Origin, Mono: true, Note: "entry " + countText(rc.Proof.Index)},
		}
	}
	d.show(w, r, http.StatusOK, "receipt", page)
}

// receiptFile sends the signed envelope byte for byte.
func (d *Dashboard) receiptFile(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	v, ok := d.openReceipt(w, r, actor)
	if !ok {
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", attachment("receipt-"+v.Item.ID.String()+".json"))
	h.Set("Content-Security-Policy", filePolicy)
	h.Set("Content-Length", strconv.Itoa(len(v.Item.Receipt)))
	w.Write(v.Item.Receipt)
}

func indented(b []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, b, "", "  ") != nil {
		return string(b)
	}
	return out.String()
}
