"""Writes golden.rs: values of statsmodels 0.14 and scikit-learn 1.9 for main.rs, on rows made by formulas.

    python golden.py > golden.rs && rustfmt golden.rs
"""

import numpy as np
import statsmodels.api as sm
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB
from sklearn.preprocessing import StandardScaler

N, SHOWN = 60, 5
i, j = np.arange(N)[:, None], np.arange(4)[None]
labels = (i[:, 0] ** 2 % 7 % 3).astype(int)
reals = (1 + j) * np.sin(3 * i + 5 * j) + 0.7 * np.cos(i * (j + 1)) + 0.8 * labels[:, None] * (j == 1) + 10 * j
levels = (i * (j + 2) + labels[:, None] * j) % 7 % (3 + j)
bits = ((i * (2 * j + 1) + labels[:, None]) % 5 < 2).astype(int)
target = 2 + reals @ [0.5, -1.0, 0.25, 0.0] + np.sin(7 * i[:, 0]) * 2


def show(name, values):
    values = np.asarray(values, float).ravel()
    print(f"pub(crate) const {name}: [f64; {len(values)}] = [{', '.join(repr(float(v)) for v in values)}];")


print("//! Values of `golden.py`.\n")
show("QDA", QuadraticDiscriminantAnalysis().fit(reals, labels).predict_proba(reals)[:SHOWN])
show("QDA_REGULARIZED", QuadraticDiscriminantAnalysis(reg_param=0.1).fit(reals, labels).predict_proba(reals)[:SHOWN])
own = reals[labels == 1]
show("QDA_LOG_DENSITY", multivariate_normal(own.mean(0), np.cov(own.T)).logpdf(reals[:SHOWN]))
show("LDA", LinearDiscriminantAnalysis().fit(reals, labels).predict_proba(reals)[:SHOWN])
shrunk = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.2).fit(reals, labels)
show("LDA_SHRUNK", shrunk.predict_proba(reals)[:SHOWN])
show("GAUSSIAN_NB", GaussianNB(var_smoothing=0).fit(reals, labels).predict_proba(reals)[:SHOWN])
show("CATEGORICAL_NB", CategoricalNB(alpha=0.5, min_categories=[3, 4, 5, 6]).fit(levels, labels).predict_proba(levels)[:SHOWN])
show("BERNOULLI_NB", BernoulliNB(alpha=1.0).fit(bits, labels).predict_proba(bits)[:SHOWN])

ols = sm.OLS(target, sm.add_constant(reals)).fit()
show("OLS", ols.params)
show("OLS_STDERR", ols.bse)
show("OLS_T", ols.tvalues)
show("OLS_P", ols.pvalues)
show("OLS_INTERVAL", ols.conf_int(0.05))
show("OLS_FIT", [ols.rsquared, ols.rsquared_adj, np.sqrt(ols.scale), ols.fvalue])
show("OLS_LOG_LIKELIHOOD", [ols.llf])
influence = ols.get_influence()
show("LEVERAGE", influence.hat_matrix_diag[:SHOWN])
show("STUDENTIZED", influence.resid_studentized_internal[:SHOWN])
show("COOK", influence.cooks_distance[0][:SHOWN])
ridge = Ridge(alpha=2.0, tol=1e-14).fit(reals, target)
show("RIDGE", [ridge.intercept_, *ridge.coef_])
scaler = StandardScaler().fit(reals)
ridge = Ridge(alpha=2.0, tol=1e-14).fit(scaler.transform(reals), target)
coef = ridge.coef_ / scaler.scale_
show("RIDGE_STANDARDIZED", [ridge.intercept_ - coef @ scaler.mean_, *coef])

few = reals[:, :2]
mn = sm.MNLogit(labels, sm.add_constant(few)).fit(method="newton", disp=0, maxiter=100, tol=1e-14)
show("LOGIT", mn.params.T)
show("LOGIT_STDERR", mn.bse.T)
show("LOGIT_P", mn.pvalues.T)
show("LOGIT_INTERVAL", mn.conf_int(0.05).reshape(2, 3, 2))
# Ridge in both parameterizations is that of all classes.
penalized = LogisticRegression(C=0.5, tol=1e-12, max_iter=10000).fit(few, labels)
show("LOGIT_RIDGE", penalized.predict_proba(few)[:SHOWN])
