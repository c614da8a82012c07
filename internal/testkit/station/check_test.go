package station

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sealdock/sealdock/proto/evidence"
)

func TestBrokenPromisesAreNamed(t *testing.T) {
	stored := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	item := &Item{State: "stored", Length: 10}
	receipt := &evidence.Receipt{StoredAt: stored}
	erased := Recording{Path: "a", Size: 10, Deleted: true, DeletedAt: stored.Add(time.Second), DeletedBy: "host"}
	early, lostByCamera, shorter := erased, erased, erased
	early.DeletedAt = stored.Add(-time.Second)
	lostByCamera.DeletedBy = "camera"
	shorter.Size = 9
	for name, c := range map[string]struct {
		row  Row
		want []string
	}{
		"erased after its receipt": {Row{Recording: erased, Item: item, Receipt: receipt}, nil},
		"still on the camera":      {Row{Recording: Recording{Path: "a", Size: 10}}, nil},
		"erased, and nowhere":      {Row{Recording: erased}, []string{"I1"}},
		"erased without a receipt": {Row{Recording: erased, Item: item}, []string{"I1"}},
		"erased before it":         {Row{Recording: early, Item: item, Receipt: receipt}, []string{"I4"}},
		"lost by the camera":       {Row{Recording: lostByCamera}, nil},
		"of another length":        {Row{Recording: shorter, Item: item, Receipt: receipt}, []string{"I2"}},
		"with a false receipt":     {Row{Recording: erased, Item: item, Problem: errors.New("forged")}, []string{"I3", "I1"}},
	} {
		c.row.Camera.Serial = "s"
		var got []string
		for _, v := range c.row.broken() {
			if v.Camera != "s" {
				t.Errorf("%s: camera %q", name, v.Camera)
			}
			got = append(got, v.Promise)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
