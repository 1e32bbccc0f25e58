package templates

import (
	"slices"
	"strings"
)

// refusals gives, by group, the reason why functions of sprig or text/template are
// not available. A test keeps it complete.
var refusals = []struct{ why, names string }{
	{
		"a ticket must not depend on the environment, the clock, the network or files",
		`env expandenv now ago date dateInZone date_in_zone dateModify date_modify mustDateModify must_date_modify
		duration durationRound htmlDate htmlDateInZone toDate mustToDate unixEpoch getHostByName
		base dir clean ext isAbs osBase osClean osDir osExt osIsAbs`,
	},
	{
		"a ticket must not contain random values",
		"randAlpha randAlphaNum randAscii randBytes randInt randNumeric shuffle uuidv4",
	},
	{
		"a call can run for a long time, and rendering cannot be interrupted",
		`bcrypt htpasswd derivePassword genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey
		genSignedCert genSignedCertWithKey buildCustomCert encryptAES decryptAES
		adler32sum sha1sum sha256sum sha512sum`,
	},
	{
		"a pattern can take a long time to match customer text; use contains, hasPrefix or replace",
		`regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit
		mustRegexFind mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit`,
	},
	{
		"the output size depends on a number, not on the size of the input",
		"repeat indent nindent wrap wrapWith seq until untilStep",
	},
	{
		"templates cannot build lists; use range over the lists of the claim",
		`list tuple append mustAppend push mustPush prepend mustPrepend concat chunk mustChunk compact mustCompact
		first mustFirst last mustLast initial mustInitial rest mustRest reverse mustReverse slice mustSlice
		sortAlpha uniq mustUniq without mustWithout has mustHas all any join split splitList splitn toStrings index`,
	},
	{
		"templates cannot build dictionaries; the view contains every key",
		`dict get set unset dig keys values pick omit pluck hasKey merge mustMerge mergeOverwrite mustMergeOverwrite
		deepCopy mustDeepCopy deepEqual`,
	},
	{
		"the view contains only texts, numbers and lists, which need no conversion",
		`atoi int int64 float64 toDecimal toString toJson toPrettyJson toRawJson fromJson mustToJson mustToPrettyJson
		mustToRawJson mustFromJson kindIs kindOf typeIs typeIsLike typeOf b32dec b32enc b64dec b64enc
		semver semverCompare`,
	},
	{
		"a call can fail on customer input; use add, sub, mul, min or max",
		`div mod divf add1 add1f addf subf mulf maxf minf biggest ceil floor round fail`,
	},
	{
		"values are already escaped automatically",
		"html js urlquery urlParse urlJoin squote",
	},
	{
		"processing is by byte, not by character; use trunc, abbrev, upper or lower",
		"substr abbrevboth camelcase kebabcase snakecase swapcase untitle initials nospace",
	},
	{
		"use print, trim or coalesce instead",
		"cat println trimAll trimall hello",
	},
	{
		"the view has no functions or methods",
		"call",
	},
}

// whyRefused returns the reason why a function is not available, or "" for an
// unknown function.
func whyRefused(name string) string {
	for _, group := range refusals {
		if slices.Contains(strings.Fields(group.names), name) {
			return group.why
		}
	}
	return ""
}
