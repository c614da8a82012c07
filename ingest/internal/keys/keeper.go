package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Keeper encrypts with a key that never leaves it: an HSM, or a transit service.
// hsm.Module and transit.Service are. What it wraps opens only with the same bound
// bytes; secret is its PIN or token.
type Keeper interface {
	Make(key string, secret []byte) error // unless it is there
	Wrap(key string, secret, plain, bound []byte) ([]byte, error)
	Unwrap(key string, secret, wrapped, bound []byte) ([]byte, error)
}

// keeperMagic is the first line of a root key under a keeper's key. The second is the
// name of that key as JSON; the rest is what the keeper gave.
var keeperMagic = map[Protection]string{
	PKCS11:  "sealdock/root-key/pkcs11/v1\n",
	Transit: "sealdock/root-key/transit/v1\n",
}

// Kept says whether a keeper has the key that guards the root key.
func (p Protection) Kept() bool { return keeperMagic[p] != "" }

// keeperFields are the fields of the configuration that name a keeper.
var keeperFields = map[Protection]string{
	PKCS11:  "pkcs11_module and pkcs11_token",
	Transit: "transit_url",
}

// keeperKey is the second line. Which module and token, or which server and mount
// that is, is for the configuration to say: a file must not name a library that is
// loaded, nor an address that is told a token.
type keeperKey struct {
	Key string `json:"key"`
}

// wrapByKeeper has the root key encrypted, and opened again before anybody relies on it.
func (r *localRoot) wrapByKeeper(to *Target) ([]byte, error) {
	if to.Keeper == nil || to.Key == "" || len(to.Key) > maxHolder {
		return nil, fmt.Errorf("name in the configuration who has the key, %s, and the key with 1 to %d bytes", keeperFields[to.Protection], maxHolder)
	}
	line, err := json.Marshal(keeperKey{to.Key})
	if err != nil {
		return nil, err
	}
	head := append(append([]byte(keeperMagic[to.Protection]), line...), '\n')
	if err := to.Keeper.Make(to.Key, to.Secret); err != nil {
		return nil, err
	}
	wrapped, err := to.Keeper.Wrap(to.Key, to.Secret, r.key[:], head)
	if err != nil {
		return nil, err
	}
	file := append(head, wrapped...)
	if len(file) > maxFile {
		return nil, fmt.Errorf("what comes back has %d bytes, at most %d are taken: nothing was changed", len(wrapped), maxFile-len(head))
	}
	// One that ignores what it does not know would open it in any place.
	if elsewhere, err := to.Keeper.Unwrap(to.Key, to.Secret, wrapped, []byte("elsewhere")); err == nil {
		clear(elsewhere)
		return nil, errors.New("it opens without what it was bound to (of Vault, 1.13 is needed at least): nothing was changed")
	}
	back, err := unwrapByKeeper(to.Keeper, to.Protection, to.Secret, file)
	defer clear(back)
	if err != nil || !bytes.Equal(back, r.key[:]) {
		return nil, errors.Join(errors.New("it does not come back from there: nothing was changed"), err)
	}
	return file, nil
}

func unwrapByKeeper(keeper Keeper, protection Protection, secret, file []byte) ([]byte, error) {
	if keeper == nil {
		return nil, fmt.Errorf("it is under a key that is kept elsewhere: name in the configuration where, %s", keeperFields[protection])
	}
	magic := keeperMagic[protection]
	line, wrapped, ok := bytes.Cut(bytes.TrimPrefix(file, []byte(magic)), []byte("\n"))
	var key keeperKey
	if !ok || len(line) > maxHeaderLine || json.Unmarshal(line, &key) != nil || key.Key == "" || len(key.Key) > maxHolder {
		return nil, errors.New("its second line cannot be read: the file is damaged")
	}
	return keeper.Unwrap(key.Key, secret, wrapped, file[:len(magic)+len(line)+1])
}
