package config

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// variable is a NAME=value of an env file.
type variable struct {
	name, value string
	line        int
}

// mistake is what is wrong with a line of an env file. The message never has a
// part of a value in it.
type mistake struct {
	line    int
	message string
}

// variableName is what a shell, Docker and Kubernetes all take for a variable.
// Source: IEEE Std 1003.1, 8.1 Environment Variable Definition.
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,199}$`)

// parseEnvFile reads NAME=value lines: what docker run --env-file reads, and the
// quotes that a compose .env file may have, since GitLab's page writes one with
// keys of several lines ("KEY=\"$(cat file)\"").
//
//   - Blank lines and lines that start with # are skipped. "export " before a
//     name is skipped, too.
//   - A value goes to the end of its line; blanks around it are dropped, a # in it
//     belongs to it. An empty value is a value.
//   - A value in single quotes is taken as it is, in double quotes \n \" \\ \$ are
//     read as escapes. Both may go over several lines.
//   - Nothing is expanded: $NAME stays $NAME.
//
// Sources: docs.docker.com/reference/cli/docker/container/run (env-file),
// docs.docker.com/compose/how-tos/environment-variables/variable-interpolation,
// docs.gitlab.com/install/install_ai_gateway (Set up Docker with NGINX and SSL).
func parseEnvFile(text string) (variables []variable, wrong []mistake) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return nil, []mistake{{1, "this is not UTF-8 text"}}
	}
	r := envFile{rest: text}
	for r.rest != "" {
		line := strings.TrimSpace(r.next())
		if line == "" || line[0] == '#' {
			continue
		}
		start := r.line
		name, value, found := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		message := ""
		switch {
		case !found:
			message = "NAME=value was expected; a value of several lines needs quotes around it"
		case !variableName.MatchString(name):
			message = "before the = a name of letters, digits and _ was expected"
		case value != "" && (value[0] == '"' || value[0] == '\''):
			value, message = r.quoted(value)
		case strings.HasPrefix(value, "-----BEGIN ") && !strings.Contains(value, "-----END "):
			message = "a key of several lines needs quotes around it"
			r.skipKey()
		}
		if message != "" {
			wrong = append(wrong, mistake{start, message})
			continue
		}
		variables = append(variables, variable{name, value, start})
	}
	return variables, wrong
}

// escapes are the characters that a backslash in double quotes may stand before.
var escapes = [256]byte{'n': '\n', '"': '"', '\\': '\\', '$': '$'}

// envFile is one run of parseEnvFile.
type envFile struct {
	rest string
	line int // the number of the line read last
}

func (r *envFile) next() string {
	line, rest, _ := strings.Cut(r.rest, "\n")
	r.rest = rest
	r.line++
	return line
}

// quoted reads a value whose first character is its quote, with the lines that
// follow when it does not end in its own.
func (r *envFile) quoted(text string) (value, message string) {
	quote := text[0]
	text = text[1:]
	var b strings.Builder
	for {
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case c == quote:
				if after := strings.TrimSpace(text[i+1:]); after != "" && after[0] != '#' {
					return "", "there is something after the closing quote"
				}
				return b.String(), ""
			case c == '\\' && quote == '"' && i+1 < len(text) && escapes[text[i+1]] != 0:
				i++
				b.WriteByte(escapes[text[i]])
			default:
				b.WriteByte(c)
			}
		}
		if r.rest == "" {
			return "", "the closing quote is missing"
		}
		b.WriteByte('\n')
		text = r.next()
	}
}

// skipKey goes on after the end of a key that was not quoted, so that its lines
// are not taken for variables.
func (r *envFile) skipKey() {
	for r.rest != "" && !strings.HasPrefix(strings.TrimSpace(r.next()), "-----END ") {
	}
}
