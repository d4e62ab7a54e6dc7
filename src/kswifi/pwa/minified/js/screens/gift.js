/*f6e28cd2b16d5f839c3417d2b44afc2947c4fb3524a08ecc5ba1ff8105acf359*/
import{change as y,newKey as g,Problem as b,read as h}from"../api.js";import{Ask as k}from"../ask.js";import{formatOctets as _,lastDay as C,when as I}from"../format.js";import{add as R,t as e}from"../i18n.js";import{SessionManager as D}from"../road.js";import{go as v,wish as U}from"../router.js";import{useEffect as q,useRef as x,useState as m}from"../state.js";import{account as c,reachable as z,receive as P,words as w}from"../store.js";import*as S from"../text/gifts.js";import{Heading as p,html as t,Icon as B,Note as u,Size as O}from"../ui.js";R(S);const T=()=>t`
<${p} title=${e("gift.have")} lead=${e("gift.code_lead")} back="#/gifts" /><${k}
what="code"
label=${e("gift.code")}
hint=${e("gift.code_hint")}
button=${e("gift.look")}
input=${{autocapitalize:"characters"}}
send=${async a=>v(`gift/${encodeURIComponent(a)}`)}
/>
`;function A({code:a}){const[i,f]=m(!1),[o,r]=m(null),l=x(g());async function d(){f(!0),r(null);try{const{session_id:n}=await y(`/api/v1/gifts/${encodeURIComponent(a)}/claim`,{},{key:l.current});await P(await h(`/api/v1/sessions/${n}`)),await D.resumeDownload(n),v(`progress/${n}`,!0)}catch(n){n instanceof b&&!n.passing&&(l.current=g()),r(n)}f(!1)}const{code:$,facts:s}=o instanceof b?o:{code:"",facts:{}};return t`
${o&&t`<${u} kind="error" live>${w(o)}<//>`}
${/verify|redeem/.test(s.do??"")&&t`<a class="btn quiet wide" href="#/free">${e(`free.${s.do}`)}</a>`}
${$==="gift_is_yours"&&t`<a class="btn quiet wide" href="#/gifts">${e("gifts.title")}</a>`}<button class="btn wide" disabled=${i} onClick=${d}><${B} name="down" />${e("gift.claim")}</button>
`}function E({code:a}){const[i,f]=m(null),[o,r]=m("");return q(()=>{c.value||(U.path=`gift/${encodeURIComponent(a)}`);let l,d=0;const $=()=>h(`/api/v1/gifts/${encodeURIComponent(a)}`).then(s=>{f(s),r(""),!s.claimable&&d++<5&&(l=setTimeout($,2e3))},s=>r(w(s)));return $(),()=>clearTimeout(l)},[a,z.value]),i?t`
<${p} title=${e("gift.somebody",{size:_(i.octets)})} back=${c.value?"#/gifts":"#/home"} /><div class="pass"><${O} octets=${i.octets} /><p class="small soft">${e("until",{day:C(Date.parse(i.valid_until))})}</p></div>${i.claimable?t`<${u} icon="clock">${e("gift.before",{at:I(Date.parse(i.expires_at))})}<//>`:t`<${u} icon="alert" live>${e("gift.not_claimable")}<//>`}<p class="soft">${e("gift.how")}</p><div class="act stick">${i.claimable?c.value?t`<${A} code=${a} />`:t`
<a class="btn wide" href="#/account/new">${e("account.sign_up")}</a><a class="btn plain wide" href="#/account">${e("account.sign_in")}</a>
`:t`<a class="btn wide" href=${c.value?"#/gifts":"#/home"}>${e(c.value?"gifts.title":"nav.home")}</a>`}</div>
`:t`
<${p} title=${e("gift.title")} back=${c.value?"#/gifts":"#/home"} />${o&&t`<${u} kind="error" live>${o}<//><a class="btn quiet wide" href="#/gift">${e("gift.other")}</a>`}
`}var Q=({id:a})=>a?t`<${E} code=${a} />`:t`<${T} />`;export{Q as default};
