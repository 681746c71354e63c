package lab

import (
	_ "embed"
	"math/rand/v2"
	"strconv"
	"strings"
)

// gatewayTags are the tags of the real repository that have a name, to 18.5.0.
// Source: the git tags of gitlab-org/modelops/applied-ml/code-suggestions/ai-assist.
//
//go:embed gateway-tags.txt
var gatewayTags string

// Tags are the named tags of the real repository.
func Tags() []string { return strings.Fields(gatewayTags) }

// HashTags are n different tags such as the real repository has one of per commit:
// eight hexadecimal digits. The same seed gives the same tags.
func HashTags(seed uint64, n int) []string {
	random := rand.New(rand.NewPCG(seed, 0))
	seen := make(map[uint32]bool, n)
	tags := make([]string, 0, n)
	for len(tags) < n {
		if h := random.Uint32(); !seen[h] {
			seen[h] = true
			s := strconv.FormatUint(uint64(h), 16)
			tags = append(tags, strings.Repeat("0", 8-len(s))+s)
		}
	}
	return tags
}
