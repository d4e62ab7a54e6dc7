/*6bd415d4d53654700368d2fd91490420667f8c03eb7bc3dff93de0fc2c5e321c*/
import{change as s,read as h}from"../api.js";import{Ask as l}from"../ask.js";import{now as b}from"../clock.js";import*as p from"../db.js";import{t as n}from"../i18n.js";import{go as k}from"../router.js";import{useEffect as $,useState as d}from"../state.js";import{account as m,environment as y,reachable as v,say as q,signedIn as _}from"../store.js";import{Heading as x,html as a,Icon as V,Note as c}from"../ui.js";const f="/api/v1/phone-verifications";function g(o,e="choose"){q(o),k(e,!0)}async function A(o){const{venue:e}=await s("/api/v1/vouchers/redeem",{code:o});return g(n("voucher.good",{venue:e}))}const C=({typed:o,quiet:e})=>a`<${l} what="voucher" quiet=${e} input=${{defaultValue:o,autocapitalize:"characters"}} send=${A}><h2>${n("voucher.title")}</h2><//>`;function D({next:o}){const[e,r]=d(null),i=t=>(r(t),t?p.put("kv",t,"verifying"):p.remove("kv","verifying"));if($(()=>{p.get("kv","verifying").then(t=>t&&Date.parse(t.expires_at)>b()&&r(t))},[]),$(()=>{if(!e||!/waiting|sending/.test(e.state))return;const t=setTimeout(()=>h(`${f}/${e.verification_id}`).then(w=>i({...e,...w}),()=>r({...e})),1e3);return()=>clearTimeout(t)},[e]),m.value?.phone_verified)return a`<${c}>${n("phone.verified")}<//>`;if(!e||e.state==="refused")return a`<${l}
what="number"
key="number"
input=${{type:"tel",autocomplete:"tel",defaultValue:m.value?.phone_number??""}}
send=${async t=>i({...await s(f,{phone_number:t}),phone_number:t})}
><h2>${n("phone.title")}</h2>${e&&a`<${c} kind="error" live>${n("phone.refused")}<//>`}<//>`;const u=e.state==="unknown"?"phone.unknown":e.state==="sent"?"phone.sent":"phone.sending";return a`
<${l}
what="code"
key="code"
input=${{inputmode:"numeric",pattern:"[0-9]{6}",maxlength:6,autocomplete:"one-time-code"}}
send=${async t=>{await s(`${f}/${e.verification_id}/confirm`,{code:t}),await i(null),await _(await h("/api/v1/account")),g(n("phone.verified"),o)}}
><h2>${n("phone.title")}</h2><${c} icon="phone" live>${n(u,{number:e.phone_number})}<//><//><div class="stack tight">${y.value?.lab_origin&&a`<a class="btn quiet wide" href="/lab"><${V} name="phone" />${n("esim.lab")}</a>`}<button class="btn plain wide" onClick=${()=>i(null)}>${n("phone.again")}</button></div>
`}function E({id:o}){const[e,r]=d("");$(()=>{h("/api/v1/free-data").then(t=>r(t.required),()=>r("nothing"))},[v.value]);const i=o==="phone",u=i||/phone/.test(e);return a`
<${x} title=${n("choose.allowance")} lead=${e&&!i&&n(`free.${e}`)} back=${i?"#/gifts":"#/choose"} />${!v.value&&a`<${c} icon="noline" live>${n("account.offline")}<//>`}
${u&&(i||!o)&&a`<${D} next=${i?"gifts":"choose"} />`}
${e&&e!=="phone"&&!i&&a`<${C} typed=${o} quiet=${u&&!o} />`}
`}export{E as default};
