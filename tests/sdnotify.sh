#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Asserts what daxstackd tells the service manager, and when; and that clients that
# send invalid requests, or stop in the middle, neither harm it nor block others.
# host
#
# In a mount namespace with its own /run, and without daxstack mounts.
set -u
cd "${DAXSTACK_TOP:-.}" || exit 1
as_root=''
[ "$(id -u)" = 0 ] || as_root=--map-root-user
export DAXSTACK_MAPPED=$as_root
# shellcheck disable=SC2086 # empty, or one word
unshare --mount $as_root true 2>/dev/null || {
	echo '1..0 # SKIP cannot create a mount namespace'
	exit 0
}
# shellcheck disable=SC2086,SC2016 # likewise; text for other shells
exec timeout 300 unshare --mount $as_root sh -c '
	mount --make-rprivate / && mount -t tmpfs tmpfs /run && exec perl -w - "$0"' \
	"$PWD/build/tools/daxstackd" <<'END_OF_PERL'
use strict;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Time::HiRes qw(time sleep);

my ($program) = @ARGV;
my ($n, $failed, $ended) = (0, 0, 0);
$| = 1;
sub ok
{
	my ($good, $name, @more) = @_;
	$n++;
	print $good ? '' : 'not ', "ok $n - $name\n";
	print map { "# $_\n" } map { split /\n/ } @more unless $good;
	$failed = 1 unless $good;
}

my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => '/run/notify') or die;
# told PATTERN: the next matching notification; earlier ones are dropped
sub told
{
	my ($pattern) = @_;
	my $until = time + 60;
	while (time < $until) {
		next unless IO::Select->new($manager)->can_read(1);
		$manager->recv(my $text, 65536);
		return $text if $text =~ $pattern;
	}
	return '';
}
sub rules
{
	open my $file, '>', '/run/rules.conf' or die;
	print $file @_;
	close $file;
}
sub start
{
	my $pid = fork;
	return $pid if $pid;
	open STDERR, '>>', '/run/log';
	open STDIN, '<', '/dev/null';
	$ENV{NOTIFY_SOCKET} = '/run/notify';
	$ENV{WATCHDOG_USEC} = 2000000;
	open STDOUT, '>', '/dev/null';
	exec $program, '-r', '/run/rules.conf';
}
sub said
{
	open my $file, '<', '/run/log' or return '';
	local $/;
	return <$file>;
}
sub ends
{
	my ($pid) = @_;
	for (1 .. 600) {
		return $? if waitpid($pid, 1) == $pid;
		sleep 0.1;
	}
	return -1;
}
# ask QUESTION: the answer; '' if the daemon hangs up, undef if none comes
sub ask
{
	my ($question, $more) = @_;
	my $socket = IO::Socket::UNIX->new(Type => SOCK_STREAM,
		Peer => '/run/daxstack/daxstackd.sock') or return undef;
	local $SIG{PIPE} = 'IGNORE';
	print $socket $question;
	$socket->flush;
	return $socket if $more;
	shutdown $socket, 1;
	my $answer = '';
	while (my @ready = IO::Select->new($socket, $manager)->can_read(60)) {
		# A manager that does not read would block the daemon.
		$manager->recv(my $text, 65536) if grep { $_ == $manager } @ready;
		next unless grep { $_ == $socket } @ready;
		sysread $socket, my $part, 65536 or return $answer;
		$answer .= $part;
	}
	return undef;
}

# --- Unreadable rules.

my $pid = start;
# The daemon must not outlive the test.
$SIG{ALRM} = sub { die "timeout\n" };
alarm 240;
END { kill 'KILL', $pid if $pid && !$ended }
ok ends($pid) >> 8 == 78, 'no rules: exits with status 78';
ok said =~ m|/run/rules.conf: No such file|, '... with a message', said;
rules "[mount /x]\n";
ok ends(start) >> 8 == 78, 'bad rules: exits with status 78';
ok said =~ m|/run/rules.conf:1: .*has no budget: write|, '... with file and line', said;

# --- From start to end.

rules "# none\n";
$pid = start;
my $text = told qr/^READY=1$/m;
ok $text =~ /^STATUS=0 of 0 mounts/m, 'it reports readiness and its status', $text;
ok told(qr/^WATCHDOG=1$/m) && told(qr/^WATCHDOG=1$/m), 'it feeds the watchdog';
kill 'STOP', $pid;
sleep 1;
$manager->blocking(0);
1 while defined $manager->recv($text, 65536);
sleep 3;
ok !defined $manager->recv($text, 65536), '... not while it is stopped';
$manager->blocking(1);
kill 'CONT', $pid;
ok told(qr/^WATCHDOG=1$/m), '... again when it continues';

kill 'HUP', $pid;
$text = told qr/^RELOADING=1$/m;
ok $text =~ /^MONOTONIC_USEC=\d+$/m, 'SIGHUP: it reports the reload, with the time', $text;
ok told(qr/^READY=1$/m), '... and its end';
rules "[mount /x]\nbudget = 5 apples\n";
ok system($program, '--reload') >> 8 == 2, 'bad rules: --reload fails';
ok told(qr/^STATUS=.*old rules in force: .*:2: budget = 5 apples/m), '... and the status says why';
rules "[mount /x]\nbudget = 5\nprofile = /none\n";
ok system($program, '--reload') >> 8 == 2, 'missing profile: --reload fails';
rules "[mount /x]\nbudget = 5\nprofile = $ENV{PWD}/profiles/optane-dc.conf\n";
ok system($program, '--reload') == 0, 'good rules: --reload succeeds';
ok told(qr/^STATUS=0 of 1 mounts[^a-z]*files cached, 0 of 0 MiB of DRAM; 0 switches$/m),
	'... and the status is good';

# --- Requests.

for my $question ('', "\0", '{', '[]', '"ask"', '7', 'null', '{"ask":7}', '{"ask":"what"}',
	'{"ask":"reload"}x', "\xff" x 100, '0' x 40000, '[' x 30000) {
	my $answer = ask $question;
	ok defined $answer && $answer eq '',
		'invalid request gets no answer: ' . (substr($question, 0, 20) =~ s/[^ -~]/?/gr);
}
for my $question ('{"ask":"file"}', '{"ask":"file","mount":"/x"}',
	'{"ask":"file","mount":"/x","path":"\u0001","ino":-1,"generation":-1,"uid":-1,"size":-1}',
	'{"ask":"file","mount":7,"path":[]}', '{"ask":"mounts","mount_hex":"6"}',
	'{"ask":"mounts","mount":"' . 'x' x 20000 . '"}') {
	my $answer = ask $question;
	ok defined $answer && $answer =~ /^\{.*\}$/, 'odd request gets a valid answer: ' .
		substr($question, 0, 40);
}
# As many clients as it serves at a time, and more.
my @slow = map { ask('{"ask":', 1) } 1 .. 10;
my $answer = ask '{"ask":"mounts"}';
ok defined $answer && $answer =~ /^\{"rules":/,
	'ten clients stop in the middle: others get their answer', $answer // 'nothing';
@slow = ();
ask('{"ask":"mounts"}', 1) for 1 .. 20;
$answer = ask '{"ask":"mounts"}';
ok defined $answer && $answer =~ /^\{"rules":/,
	'twenty clients do not wait for the answer: others get theirs', $answer // 'nothing';
ok told(qr/^WATCHDOG=1$/m), 'the watchdog is fed';
unless ($ENV{DAXSTACK_MAPPED}) {
	chmod 0777, '/run/daxstack/daxstackd.sock';
	my $other = fork // die;
	if (!$other) {
		$> = 65534;
		POSIX::_exit((ask('{"ask":"mounts"}') // 'nothing') ne '');
	}
	ok ends($other) == 0, 'only root can ask';
}
ok system("$program -r /run/rules.conf 2>/run/second") >> 8 == 2, 'a second daemon does not start';
kill 'KILL', $pid;
ends $pid;
$pid = start;
ok told(qr/^READY=1$/m), 'it starts after another was killed';
kill 'TERM', $pid;
ok told(qr/^STOPPING=1$/m), 'SIGTERM: it reports that it stops';
$ended = ends($pid) == 0;
ok $ended, '... and exits';
ok !-e '/run/daxstack/daxstackd.sock', '... and leaves no socket';

print "1..$n\n";
exit $failed;
END_OF_PERL
