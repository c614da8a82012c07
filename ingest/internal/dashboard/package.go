package dashboard

import (
	"net/http"

	"github.com/sealdock/sealdock/ingest/internal/auth"
	"github.com/sealdock/sealdock/ingest/internal/catalog"
	"github.com/sealdock/sealdock/ingest/internal/export"
	"github.com/sealdock/sealdock/proto/evidence"
)

// packageOf sends a custody package of one item.
func (d *Dashboard) packageOf(w http.ResponseWriter, r *http.Request, actor *auth.Actor) {
	id, err := evidence.ParseEvidenceID(r.PathValue("id"))
	if err != nil {
		d.fail(w, r, actor, catalog.ErrNotFound)
		return
	}
	if !d.form(w, r) {
		return
	}
	done, ok := d.admitStream(w, r, actor)
	if !ok {
		return
	}
	defer done()
	watched := d.making.begin(r.PostForm.Get("key"), actor.User, id, d.Now())
	defer func() { watched.end(d.Now()) }()
	made, err := d.Packages.ForPerson(r.Context(), actor, export.Whole(id), &watched.Progress)
	if err != nil {
		d.fail(w, r, actor, err)
		return
	}
	item, err := d.Cameras.Catalog.ItemRow(r.Context(), d.Auth.Agency(), id)
	if err != nil {
		made.Close()
		d.fail(w, r, actor, err)
		return
	}
	if err := made.Serve(d.watched(w, r, auth.DownloadItem, item), r); err != nil {
		if r.Context().Err() == nil {
			d.Log.ErrorContext(r.Context(), "a custody package was broken off", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	watched.whole.Store(true)
}
