package docker

import (
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// explain says what was being done when the engine answered with err, and nil when
// it did not. The cause stays in the error, so isNotFound and errors.Is still
// work; the client library's frame around the engine's own words does not.
func (e *Engine) explain(doing string, err error) error {
	if err == nil {
		return nil
	}
	f := &failure{doing: doing, cause: err}
	if client.IsErrConnectionFailed(err) {
		f.engine = e.host.String()
	}
	return f
}

// failure is a request to the engine that did not succeed.
type failure struct {
	doing  string
	engine string // set when the engine did not answer at all
	cause  error
}

func (f *failure) Unwrap() error { return f.cause }

func (f *failure) Error() string {
	s := f.doing + ": " + engineWords(f.cause)
	if f.engine != "" && !strings.Contains(s, f.engine) {
		s += " (engine " + f.engine + ")"
	}
	for words, advice := range advices {
		if strings.Contains(s, words) && !strings.Contains(s, advice) {
			s += "; " + advice
		}
	}
	return s
}

// advices are what to do about things that an engine says about many a request.
var advices = map[string]string{
	"no space left on device": diskFull,
	"No such image":           "somebody removed it from the engine: run again, which pulls it once more",
}

// diskFull is what to do about an engine that can write nothing any more.
const diskFull = "the engine's disk is full: free space on it (docker system df shows what uses it)"

// engineWords are the engine's own words in an error, fit for one line of a log.
func engineWords(err error) string {
	if inner, ok := err.(*failure); ok {
		return inner.Error()
	}
	return clean(strings.TrimPrefix(err.Error(), "Error response from daemon: "), 2000)
}

// isNotFound reports whether the engine has no such container, image or file.
func isNotFound(err error) bool { return errdefs.IsNotFound(err) }

// isConflict reports whether the engine will not do it in the state things are in:
// a name is taken, a container does not run, an image is in use.
func isConflict(err error) bool { return errdefs.IsConflict(err) }
