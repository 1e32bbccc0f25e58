// Package docs_test checks the project's Markdown files against the project: links
// resolve, and the commands in them exist.
package docs_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the project's root, relative to this folder.
const root = ".."

// page is one parsed Markdown file.
type page struct {
	path string
	// prose is the text without its fenced blocks.
	prose string
	// commands are the lines of its fenced blocks.
	commands []string
}

func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "data") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all = append(all, parse(path, string(text)))
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func parse(path, text string) page {
	p := page{path: path}
	var prose strings.Builder
	fenced := false
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			fenced = !fenced
		case fenced:
			p.commands = append(p.commands, strings.TrimSpace(line))
		default:
			prose.WriteString(line)
		}
	}
	p.prose = prose.String()
	return p
}

var (
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	notInID  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

func TestLinksResolve(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, p := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(p.prose, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			checked++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := p.path
			if file != "" {
				target = filepath.Join(filepath.Dir(p.path), filepath.FromSlash(file))
			}
			text, err := os.ReadFile(target)
			if info, statErr := os.Stat(target); statErr == nil && info.IsDir() {
				err = nil
			}
			require.NoErrorf(t, err, "%s links to %s", p.path, m[1])
			if anchor != "" {
				require.Containsf(t, anchors(string(text)), anchor, "%s links to %s", p.path, m[1])
			}
		}
	}
	require.NotZero(t, checked, "no link was found, so the pattern is wrong")
}

// anchors returns the IDs that GitHub assigns to headings.
func anchors(text string) []string {
	var ids []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		id := notInID.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), "")
		ids = append(ids, strings.ReplaceAll(id, " ", "-"))
	}
	return ids
}

var goCommand = regexp.MustCompile(`\bgo (?:run|build|test|vet|generate) [^#|;&]*`)

func TestCommandsNamePackagesThatExist(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, p := range pages(t) {
		for _, line := range p.commands {
			for _, command := range goCommand.FindAllString(line, -1) {
				for _, name := range packages(command) {
					folder, pattern := strings.CutSuffix(filepath.FromSlash(name), "...")
					sources, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
					require.NoError(t, err)
					if pattern {
						sources, err = filepath.Glob(filepath.Join(root, folder))
						require.NoError(t, err)
					}
					require.NotEmptyf(t, sources, "%s shows %q, but there is no package %s", p.path, line, name)
					checked++
				}
			}
		}
	}
	require.NotZero(t, checked, "no command was found, so the pattern is wrong")
}

// packages returns the packages that a go command names by folder. Arguments after
// the package of "go run" belong to the program.
func packages(command string) []string {
	words := strings.Fields(command)[2:]
	if strings.HasPrefix(command, "go run ") {
		words = words[:min(1, len(words))]
	}
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, "./") })
}

var (
	starterCall = regexp.MustCompile(`(?:^|[ (/])starter((?: [a-z][a-z-]*)+)(.*)$`)
	longFlag    = regexp.MustCompile(`(?:^| )--([a-z][a-z-]*)`)
)

// Every starter command on a page, in a code block or in running text, is run with
// its help flag. The help must list the command and its flags.
func TestStarterCommandsExist(t *testing.T) {
	t.Parallel()
	binary := filepath.Join(t.TempDir(), "starter")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../starter").CombinedOutput()
	require.NoErrorf(t, err, "build the starter: %s", out)

	helps := map[string]string{}
	help := func(words []string) string {
		key := strings.Join(words, " ")
		if _, known := helps[key]; !known {
			out, err := exec.CommandContext(t.Context(), binary, append(words, "--help")...).CombinedOutput()
			require.NoErrorf(t, err, "starter %s --help: %s", key, out)
			helps[key] = string(out)
		}
		return helps[key]
	}
	top := help(nil)
	checked := 0
	for _, p := range pages(t) {
		lines := slices.Clone(p.commands)
		for _, span := range codeSpan.FindAllString(p.prose, -1) {
			lines = append(lines, strings.Trim(span, "`"))
		}
		for _, line := range lines {
			line, _, _ = strings.Cut(line, " #")
			line = strings.TrimPrefix(line, "docker compose exec starter ")
			m := starterCall.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			words := strings.Fields(m[1])
			// A grouped command has two words; the rest are arguments.
			group := slices.Contains([]string{"account", "api-key", "claim", "customer", "endpoint", "import", "keyring", "kpi", "shop", "source", "template", "unified"}, words[0])
			if group && len(words) > 1 {
				words = words[:2]
			} else {
				words = words[:1]
			}
			require.Containsf(t, top, "\n  "+words[0]+" ", "%s shows %q", p.path, line)
			text := help(words)
			require.Containsf(t, text, "starter "+strings.Join(words, " "), "%s shows %q", p.path, line)
			for _, f := range longFlag.FindAllStringSubmatch(m[2], -1) {
				require.Containsf(t, text, "--"+f[1], "%s shows %q", p.path, line)
			}
			checked++
		}
	}
	require.NotZero(t, checked, "no command was found, so the pattern is wrong")
}
