package testbed

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// What nv-session-simple's README lists under METHODS and API.
var listed = map[string]string{
	"srv.": `bin_handle_ cfg_ close creq_handle_ disable_forward enable_forward fst_sess get_sess get_sess_with_conn get_sess_with_port hsrv_
		hsrv_handle_ jbroadcast_ignore_reply jbroadcast_until_all_client_reply jbroadcast_until_any_client_reply json_handle_ lst_sess on_close_ port_
		regis_$bin_handle$ regis_$creq_handle$ regis_$hsrv_handle$ regis_$json_handle$ regis_$on_close$ regis_$str_handle$ regis_$verify$
		regis_$after_extract_async_verify$ restart rgx_sess_filter sec_websocket_protocol_ sess_filter sesses_ start str_handle_ verify_ wsrv_`,
	"c.": `bin_handle_ cfg_ check_network_before_reconn_ close json_handle_ on_close_ on_error_ regis_$bin_handle$ regis_$check_network_before_reconn$
		regis_$json_handle$ regis_$on_close$ regis_$on_error$ regis_$sreq_handle$ regis_$str_handle$ restart sec_websocket_protocol_ sess_ sreq_handle_
		start str_handle_ url_ wsrv_`,
	"sess.":    `clear_katsk katsk_ conn_ id_ req_ is_active sjrr_queue_`,
	"c.sess_.": `cjrr_queue_ clear clear_katsk conn_ constructor id_ is_active katsk_ res_`,
	"conn.": `absend ajsend asend_ping_frame assend bsend ssend jsend close send_jrr_sreq send_jrr_sres send_ping_frame config is_client_ is_server_ ka_
		protocol sess_ state`,
	"c.sess_.conn_.": `absend ajsend asend_ping_frame assend bsend ssend jsend close send_jrr_creq send_jrr_cres send_ping_frame config is_client_ is_server_
		ka_ protocol sess_ state`,
	"Server.": `VALI_HREQ_TEM extract_hreq`,
	"Bwsess.": `DFLT_CFG ERROR CLOSE_ERRORS DFLT_BIN_HANDLE DFLT_STR_HANDLE DFLT_JSON_HANDLE DFLT_SREQ_HANDLE DFLT_ON_CLOSE DFLT_ON_ERROR
		DFLT_CHECK_NETWORK_BEFORE_RECONN to_u8ary ato_u8ary`,
}

// Where the tests that the table names are: the function, and what holds its
// subtests.
var tests = map[string]struct{ function, subtests string }{
	"TestServerMembers":  {"../../internal/script/members_test.go", "../../internal/script/members_test.go"},
	"TestClientMembers":  {"members_test.go", "members.js"},
	"TestBrowserMembers": {"members_test.go", "members.js"},
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryMemberIsInTheTable: docs/testbed.md has each member, once, with tests
// that exist and that are the member's own; and no test is missing there.
func TestEveryMemberIsInTheTable(t *testing.T) {
	row := regexp.MustCompile("(?m)^\\| `([\\w.$]+)` \\| (.+) \\| (`Test[^|]+`) \\|$")
	found := make(map[string]bool)
	for _, m := range row.FindAllStringSubmatch(read(t, "../../docs/testbed.md"), -1) {
		member := m[1]
		if found[member] {
			t.Errorf("%s is there twice", member)
		}
		found[member] = true
		for _, name := range strings.Split(m[3], ", ") {
			function, subtest, _ := strings.Cut(strings.Trim(name, "`"), "/")
			where, known := tests[function]
			if !known || !strings.Contains(read(t, where.function), "func "+function+"(t *testing.T)") {
				t.Errorf("%s: there is no %s", member, function)
				continue
			}
			if subtest != member {
				t.Errorf("%s: %s is the test of something else", member, name)
			}
			if !regexp.MustCompile(`(?m)^\s+"` + regexp.QuoteMeta(subtest) + `":\s`).MatchString(read(t, where.subtests)) {
				t.Errorf("%s: %s has no %s", member, where.subtests, subtest)
			}
		}
	}
	all := 0
	for prefix, names := range listed {
		for _, name := range strings.Fields(names) {
			all++
			if !found[prefix+name] {
				t.Errorf("%s is not in the table", prefix+name)
			}
		}
	}
	if all != len(found) {
		t.Errorf("the table has %d members, the README %d", len(found), all)
	}
}
