package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// newID makes an ID that no other object of any engine on this machine has: 64
// hex digits, of the engine's own directory and a serial number. e.mu is held.
func (e *Engine) newID() string {
	e.serial++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", e.dir, e.serial))
	return hex.EncodeToString(sum[:])
}
