package firmware

import (
	"encoding/json"
	"fmt"

	"github.com/sealdock/sealdock/internal/testkit/footage"
)

// Image makes a firmware image of that many bytes, at least as many as its header
// needs. With brokenStart no camera starts with it. The same arguments give the same bytes.
func Image(release string, size int, brokenStart bool) ([]byte, error) {
	if size < 0 || size > SlotSize {
		return nil, fmt.Errorf("firmware image of %d bytes: want 0 to %d", size, SlotSize)
	}
	line, err := json.Marshal(imageHeader{Release: release, Broken: brokenStart})
	if err != nil {
		return nil, fmt.Errorf("writing the header of a firmware image: %w", err)
	}
	image := append([]byte(imageMark), append(line, '\n')...)
	if rest := size - len(image); rest > 0 {
		filling := make([]byte, rest)
		if _, err := (footage.Synthetic{Seed: uint64(len(release)) + 1, Size: int64(rest)}).ReadAt(filling, 0); err != nil {
			return nil, fmt.Errorf("filling a firmware image: %w", err)
		}
		image = append(image, filling...)
	}
	return image, nil
}
