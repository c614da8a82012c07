package export

import (
	"fmt"
	"strconv"

	"github.com/sealdock/sealdock/ingest/internal/pdf"
)

// page is the report being written.
type page struct{ *pdf.Page }

// report writes report.pdf: the same bytes for the same facts.
func (m *making) report(f *facts) ([]byte, error) {
	return pdf.Write("Custody report", "Custody report, agency "+f.Agency+", made "+f.Made, m.index.MadeAt, func(w *pdf.Page) {
		p := page{w}
		p.first(f)
		for i := range f.Items {
			p.item(f, &f.Items[i])
		}
		p.keys(f)
	})
}

func (p page) first(f *facts) {
	p.Heading("Custody report", 20)
	p.Row("Agency", f.Agency)
	p.Row("Made", f.Made)
	p.Row("By", f.By)
	p.Row("Recordings", strconv.Itoa(len(f.Items)))
	p.Exact("Custody log", f.Origin)
	p.Exact("Key of the log", f.LogKey)
	p.Gap()
	p.Words("This report says in words what the other files of the custody package prove. It proves nothing itself: check the package with the page verify.html or the program sealdock-verify (README.txt). The hash of this report, as of every file in the package, is in the custody log; a report that was changed is found by that check.")
	p.Words("All times are UTC. Times by the camera's clock are as the camera gave them and were never changed; corrected times follow from what the dock measured of that clock, and are given with their uncertainty.")
}

func (p page) item(f *facts, it *itemFacts) {
	p.Heading("Recording "+it.Path, 13)
	p.Exact("Evidence id", it.ID)
	p.Exact("File in the package", it.File)
	p.Row("Camera", it.Camera)
	p.Row("Length", fmt.Sprintf("%d bytes", it.Length))
	p.Exact("SHA-256", it.SHA256)
	if it.Derived != "" {
		p.Row("No original", "made "+it.Derived)
	}
	if it.Part != "" {
		p.Row("In the package", it.Part+"; that it is a part of this recording is proven by its Merkle path")
	}
	p.Exact("Merkle root", it.MerkleRoot)
	read := "Read from the camera"
	if it.Derived != "" {
		read = "Original read"
	}
	p.Row(read, it.Read+", at dock "+it.Dock+", station "+it.Station+", bay "+it.Bay)
	p.Row("Confirmed", it.Confirmed)
	for _, t := range it.Times {
		p.Row(t.What+", camera's clock", t.Raw)
		if t.Corrected != "" {
			p.Row(t.What+", corrected", t.Corrected+", give or take "+t.About+" ("+t.Basis+")")
		} else {
			p.Row(t.What+", corrected", "cannot be told: the camera's clock was not compared with the dock's")
		}
	}
	p.Row("Stored and read back", it.Stored+" by the server's clock, entry "+strconv.FormatInt(it.StoredIndex, 10)+" of the custody log")
	if it.Derivatives > 0 {
		p.Row("Made of it", fmt.Sprintf("%d derivatives; their recipes are in the package, derivative-N.json", it.Derivatives))
	}
	if it.Derived != "" {
		p.Row("Camera's copy", "a derivative has none")
	} else if it.Erased != "" {
		p.Row("Camera's copy erased", it.Erased+", after the receipt was verified")
	} else {
		p.Row("Camera's copy", "no statement that it was erased")
	}
	if len(it.Said) > 0 {
		p.Subheading("What people of the agency say of it")
		p.Words("This is no part of what was recorded or signed at the dock; the custody events below say who gave each value, and when.")
		for _, said := range it.Said {
			p.Row(said.What, said.Value)
		}
	}
	p.Subheading(fmt.Sprintf("Custody events (%d)", len(it.Events)))
	for i := range it.Events {
		p.event(&it.Events[i])
	}
}

func (p page) event(e *eventFacts) {
	what := e.What + ", by " + e.Who
	if e.Details != "" {
		what += ": " + e.Details
	}
	p.Entry(strconv.FormatInt(e.Index, 10), e.At, what)
}

func (p page) keys(f *facts) {
	p.Heading("Keys of those who signed", 13)
	for _, d := range f.Docks {
		p.Exact("Dock "+d.Dock, d.Key)
		p.Row("", "known to the server since "+d.Since+"; "+d.File)
	}
}
