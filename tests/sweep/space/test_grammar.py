import pytest
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from mnist_sweep.sweep.errors import SweepError
from mnist_sweep.sweep.space.grammar import lines_of, parse_line
from mnist_sweep.sweep.space.values import value_of


class Groups:
    """A config loader that knows the options of one group."""

    def get_group_options(self, name, results_filter=None):
        return ["adam", "adamw", "sgd"] if name == "optimizer" else []


def setting(text, name="x", loader=None):
    (found,) = parse_line(f"{name}={text}", loader)[0].values()
    return found


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(1,5)", FloatDistribution(1, 5)),
        ("tag(log,interval(1,5))", FloatDistribution(1, 5, log=True)),
        ("int(interval(1,5))", IntDistribution(1, 5)),
        ("tag(int,interval(1,5))", IntDistribution(1, 5)),
        ("tag(int,log,interval(1,5))", IntDistribution(1, 5, log=True)),
        ("tag(log,int(interval(1,5)))", IntDistribution(1, 5, log=True)),
        ("tag(float,int(interval(1,5)))", FloatDistribution(1, 5)),
        ("range(1,25)", IntDistribution(1, 24)),
        ("tag(log,range(1,25))", IntDistribution(1, 24, log=True)),
        ("tag(int,range(1,25))", IntDistribution(1, 24)),
        ("tag(float,range(1,5))", FloatDistribution(1, 4, step=1)),
        ("range(10,61,step=10)", IntDistribution(10, 60, step=10)),
        ("range(5,0,step=-2)", IntDistribution(1, 5, step=2)),
        ("range(-5,-1)", IntDistribution(-5, -2)),
        ("range(0,1,step=0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("range(3)", IntDistribution(0, 2)),
        ("shuffle(range(1,5))", IntDistribution(1, 4)),
        ("sort(range(1,5),reverse=true)", IntDistribution(1, 4)),
        ("shuffle(choice(b,a))", CategoricalDistribution(("b", "a"))),
        ("sort(3,1,2)", CategoricalDistribution((1, 2, 3))),
        ("float(choice(1,2))", CategoricalDistribution((1.0, 2.0))),
        ("1,2", CategoricalDistribution((1, 2))),
    ],
)
def test_a_sweep_is_the_distribution_that_it_says(text, distribution):
    assert setting(text) == distribution


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('choice("/d/a b","/d/c,d")', ["/d/a b", "/d/c,d"]),
        ("choice('1','2')", ["1", "2"]),
        ("choice(1,'1')", [1, "1"]),
        ("'1','null'", ["1", "null"]),
        ("null,5", [None, 5]),
        ("choice('null','true','1e3')", ["null", "true", "1e3"]),
        ("choice(true,1,0)", [True, 1, 0]),
        ("choice(true,false)", [True, False]),
        ("choice(${x},'')", ["${x}", ""]),
        ("choice(a\\,b,c)", ["a,b", "c"]),
        ("choice('it\\'s','a\"b')", ["it's", 'a"b']),
        ("choice([[4,4],[8,8]],[])", [[[4, 4], [8, 8]], []]),
        ("choice({a:1},{a:'1'})", [{"a": 1}, {"a": "1"}]),
    ],
)
def test_a_choice_is_of_the_values_that_it_lists(text, values):
    found = [value_of(choice) for choice in setting(text).choices]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_glob_chooses_among_a_groups_options():
    found = setting("glob(adam*)", "optimizer", Groups())
    assert found == CategoricalDistribution(("adam", "adamw"))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x=glob(*)", "x is not a config group"),
        ("optimizer=glob(z*)", "or has no such option"),
        ("x=tag(lgo,interval(1,2))", "unknown tag lgo; known are int, float, log"),
        ("x=tag(log,choice(1,2))", "a choice takes no tag, but got log"),
        ("x=tag(log,range(0,5))", "low >= 1"),
        ("x=tag(log,range(1,9,step=2))", "log needs a range of whole numbers with step 1"),
        ("x=tag(log,range(1,2,step=0.1))", "log needs a range"),
        ("x=tag(log,interval(0,1))", "low > 0"),
        ("x=tag(int,interval(0.5,3))", "whole ends"),
        ("x=tag(int,range(0,1,step=0.1))", "whole ends and steps"),
        ("x=tag(int,float,interval(1,2))", "int and float exclude each other"),
        ("x=interval(1,inf)", "must be finite"),
        ("x=range(1,5,step=0)", "nonzero step"),
        ("x=choice()", "empty choice"),
        ("x=interval(0.1", "cannot be read"),
    ],
)
def test_what_cannot_be_searched_is_refused_with_its_reason(line, reason):
    with pytest.raises(SweepError) as error:
        parse_line(line, Groups())
    assert reason in str(error.value)
    assert f"the search space's {line} cannot be read: " in str(error.value)
    assert "\n" not in str(error.value)


def test_a_list_that_is_extended_stays_extended():
    with pytest.warns(UserWarning, match="extend_list"):
        assert setting("extend_list(4)") == "extend_list(4)"


def test_values_in_a_config_are_values_and_texts_are_overrides():
    params = OmegaConf.create(
        {
            "a": None,
            "b": True,
            "c": 1e-3,
            "d": [1, "x y", None],
            "e": {"f": {"g": "interval(0, 1)"}, "h": 5},
            "i": {},
            "j": "choice(1, 2)",
            "+k": 3,
        }
    )
    assert list(lines_of(params)) == [
        "a=null",
        "b=true",
        "c=0.001",
        "d=[1,x y,null]",
        "e.f.g=interval(0, 1)",
        "e.h=5",
        "i={}",
        "j=choice(1, 2)",
        "+k=3",
    ]
