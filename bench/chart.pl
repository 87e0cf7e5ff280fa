#!/usr/bin/perl
# bench/chart.pl: draws a line chart as SVG on standard output.
#
#   chart.pl [--log] TITLE X-LABEL Y-LABEL < DATA
#
# DATA: lines of series, x and y, separated by tabs. A series whose name begins with
# "=" is a level: a dashed line at the y of its only point. --log: x is on a
# logarithmic scale. y begins at 0.
use strict;
use warnings;

my $log = @ARGV && $ARGV[0] eq '--log' ? shift : '';
die "usage: chart.pl [--log] TITLE X-LABEL Y-LABEL\n" if @ARGV != 3;
my ($title, $x_label, $y_label) = map { escape($_) } @ARGV;

# The drawing, in pixels: the plot's edges leave room for labels and the legend.
my $width = 760;
my ($left, $right, $top, $bottom) = (72, 724, 68, 340);
my @colours = ('#0072b2', '#d55e00', '#009e73', '#a05195');    # told apart by the colour-blind, too

my (@names, %points, %levels);
while (<STDIN>)
{
	chomp;
	my ($name, $x, $y) = split /\t/;
	next if !defined $y || $y eq '';	# nothing was done in that time
	if ($name =~ s/^=//)
	{
		$levels{$name} = $y;
		next;
	}
	push @names, $name unless $points{$name};
	push @{ $points{$name} }, [ $x, $y ];
}
die "chart.pl: no data\n" unless @names;

my @all = map { @{ $points{$_} } } @names;
my $height = $bottom + 66 + 20 * int((@names + keys(%levels) + 1) / 2);
my @xs = sort { $a <=> $b } map { $_->[0] } @all;
my ($x_min, $x_max) = @xs[ 0, -1 ];
my ($y_max) = sort { $b <=> $a } (map { $_->[1] } @all), values %levels;
my $step = nice_step($y_max / 5);
$y_max = $step * (int($y_max * 1.02 / $step) + 1);

# The next of 1, 2, 5 times a power of ten.
sub nice_step
{
	my $wanted = shift;
	return 1 if $wanted <= 0;
	my $power = 10**int(log($wanted) / log(10) - ($wanted < 1 ? 1 : 0));
	for my $factor (1, 2, 5, 10)
	{
		return $factor * $power if $factor * $power >= $wanted;
	}
	return 10 * $power;
}

sub escape
{
	my $text = shift;
	$text =~ s/&/&amp;/g;
	$text =~ s/</&lt;/g;
	return $text;
}

# 12000 as 12,000
sub number
{
	my $text = sprintf('%.10g', shift);
	1 while $text =~ s/^(-?\d+)(\d{3})/$1,$2/;
	return $text;
}

sub place_x
{
	my $x = shift;
	my ($from, $to) = ($x_min, $x_max);
	($x, $from, $to) = map { log } ($x, $from, $to) if $log;
	return sprintf '%.1f', $left + ($x - $from) / (($to - $from) || 1) * ($right - $left);
}

sub place_y
{
	return sprintf '%.1f', $bottom - $_[0] / $y_max * ($bottom - $top);
}

# The positions of the labels on the x axis: the values there are, or round ones
sub x_ticks
{
	my %seen;
	my @values = grep { !$seen{$_}++ } @xs;
	return @values if @values <= 8;
	my $step = nice_step(($x_max - $x_min) / 8);
	return grep { $_ >= $x_min } map { $_ * $step } 0 .. int($x_max / $step);
}

print <<"SVG";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" role="img" aria-label="$title">
<style>
text { font: 13px sans-serif; fill: #222222; }
.title { font-size: 15px; font-weight: bold; }
.card { fill: #ffffff; stroke: #cccccc; }
.grid { stroke: #e4e4e4; }
.axis { stroke: #777777; }
.level { stroke: #777777; stroke-width: 1.5; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
\@media (prefers-color-scheme: dark) {
text { fill: #e6e6e6; }
.card { fill: #16191d; stroke: #444444; }
.grid { stroke: #2e3339; }
.axis, .level { stroke: #a0a0a0; }
}
</style>
<rect class="card" x="0.5" y="0.5" width="@{[$width - 1]}" height="@{[$height - 1]}" rx="6"/>
<text class="title" x="16" y="26">$title</text>
<text x="16" y="46">$y_label</text>
SVG

for (my $y = 0; $y <= $y_max * 1.0001; $y += $step)
{
	my $at = place_y($y);
	printf qq{<line class="%s" x1="%d" y1="%s" x2="%d" y2="%s"/>\n}, $y ? 'grid' : 'axis', $left, $at, $right, $at;
	printf qq{<text x="%d" y="%.1f" text-anchor="end">%s</text>\n}, $left - 8, $at + 4, number($y);
}
for my $x (x_ticks())
{
	my $at = place_x($x);
	printf qq{<line class="axis" x1="%s" y1="%d" x2="%s" y2="%d"/>\n}, $at, $bottom, $at, $bottom + 5;
	printf qq{<text x="%s" y="%d" text-anchor="middle">%s</text>\n}, $at, $bottom + 20, number($x);
}
printf qq{<text x="%d" y="%d" text-anchor="middle">%s</text>\n}, ($left + $right) / 2, $bottom + 42, $x_label;

# Levels, the highest first, each with other dashes
my %dashes;
for my $name (sort { $levels{$b} <=> $levels{$a} } keys %levels)
{
	my $at = place_y($levels{$name});
	$dashes{$name} = ('8 4', '2 3', '12 3 2 3')[ keys(%dashes) % 3 ];
	printf qq{<line class="level" stroke-dasharray="%s" x1="%d" y1="%s" x2="%d" y2="%s"/>\n}, $dashes{$name}, $left, $at, $right, $at;
}

# Lines, with dots where there are few points
my $i = 0;
for my $name (@names)
{
	my $colour = $colours[ $i++ % @colours ];
	my @sorted = sort { $a->[0] <=> $b->[0] } @{ $points{$name} };
	printf qq{<polyline class="line" stroke="%s" points="%s"/>\n}, $colour,
	  join(' ', map { place_x($_->[0]) . ',' . place_y($_->[1]) } @sorted);
	next if @sorted > 12;
	printf qq{<circle cx="%s" cy="%s" r="3.5" fill="%s"/>\n}, place_x($_->[0]), place_y($_->[1]), $colour for @sorted;
}

# Legend: two entries a row below the plot
$i = 0;
for my $name (@names, sort { $levels{$b} <=> $levels{$a} } keys %levels)
{
	my $x = $left + ($i % 2) * 340;
	my $y = $bottom + 66 + int($i / 2) * 20;
	my $style = $points{$name} ? qq{class="line" stroke="$colours[$i % @colours]"} : qq{class="level" stroke-dasharray="$dashes{$name}"};
	printf qq{<line %s x1="%d" y1="%d" x2="%d" y2="%d"/>\n<text x="%d" y="%d">%s</text>\n}, $style, $x, $y - 4, $x + 26, $y - 4, $x + 34, $y, escape($name);
	$i++;
}
print "</svg>\n";
